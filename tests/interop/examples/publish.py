# Says in a room what comes on standard input: WebM with Opus, as it is recorded. The argument is the room's address.
import sys
from collections import deque
from threading import Thread
from websockets.sync.client import connect

with connect(sys.argv[1]) as socket:
    # The others' sound is read and dropped: who never reads is too slow, and is closed after 30 s.
    Thread(target=deque, args=(socket, 0), daemon=True).start()
    while message := sys.stdin.buffer.read1(16384):
        socket.send(message)
