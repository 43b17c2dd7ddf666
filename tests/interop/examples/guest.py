# Says over Socket.IO what comes on standard input, and tells what others say and write there. The argument is the hub's address.
import sys
import socketio

guest = socketio.Client()
guest.on("chat", lambda text, speaker: print(f"{speaker['name']}: {text}", flush=True))
guest.on("chunk", lambda sound, speaker: print(f"{speaker['name']}: {len(sound)} bytes", flush=True))
guest.connect(sys.argv[1], wait_timeout=30)
while message := sys.stdin.buffer.read1(16384):
    guest.call("chunk", message)  # comes back when the room has taken it
guest.disconnect()
