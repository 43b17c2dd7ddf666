# Says in a room what comes on standard input, and writes what is heard there meanwhile to standard output.
exec websocat --binary "$1"
