// Socket.IO on Node, as its documentation sets it up: what the hub's own is measured beside. Prints one line with its address.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Server } = createRequire(new URL("../../tests/package.json", import.meta.url))("socket.io");
const http = createServer();
new Server(http).on("connection", (socket) => {
  const { room, name } = socket.handshake.query;
  socket.join(room);
  socket.on("chunk", (bytes) => socket.to(room).emit("chunk", bytes, { participant: socket.id, name }));
});
http.listen(0, "127.0.0.1", () => console.log(`Node serves http://127.0.0.1:${http.address().port}/`));
