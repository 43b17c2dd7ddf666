# Says in a room what comes on standard input, and writes what is heard there meanwhile to standard output.
import sys
from threading import Thread
from websockets.sync.client import connect

def hear(socket):
    for message in socket:
        if isinstance(message, bytes):
            sys.stdout.buffer.write(message)

with connect(sys.argv[1]) as socket:
    Thread(target=hear, args=[socket]).start()
    while message := sys.stdin.buffer.read1(16384):
        socket.send(message)
