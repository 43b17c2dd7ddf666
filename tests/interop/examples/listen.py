# Writes what is heard in a room to standard output, and what is said as text to standard error.
import sys
from websockets.sync.client import connect

with connect(sys.argv[1]) as socket:
    for message in socket:
        if isinstance(message, bytes):
            sys.stdout.buffer.write(message)
            sys.stdout.buffer.flush()
        else:
            print(message, file=sys.stderr)
