// Says in a room what comes on standard input, and writes what is heard there meanwhile to standard output.
import { once } from "node:events";
import WebSocket from "ws";

const socket = new WebSocket(process.argv[2]);
socket.on("message", (message, isBinary) => isBinary && process.stdout.write(message));
socket.on("close", (code, reason) => console.error(`closed: ${code} ${reason}`));
await once(socket, "open");
for await (const bytes of process.stdin) socket.send(bytes);
socket.close();
