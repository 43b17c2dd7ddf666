// Writes what is heard in a room to standard output, and what is said as text to standard error.
import WebSocket from "ws";

const socket = new WebSocket(process.argv[2]);
socket.on("message", (message, isBinary) => {
  if (isBinary) process.stdout.write(message);
  else console.error(`${message}`);
});
socket.on("close", (code, reason) => console.error(`closed: ${code} ${reason}`));
