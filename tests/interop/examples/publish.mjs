// Says in a room what comes on standard input: WebM with Opus, as it is recorded. The argument is the room's address.
import { once } from "node:events";
import WebSocket from "ws";

const socket = new WebSocket(process.argv[2]);
socket.on("close", (code, reason) => console.error(`closed: ${code} ${reason}`));
await once(socket, "open");
for await (const bytes of process.stdin) socket.send(bytes);
socket.close();
