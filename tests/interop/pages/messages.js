// Tells text from binary by its type, and sends a kilobyte that is no sound.
const socket = new WebSocket("ws://localhost:8080/");
socket.binaryType = "arraybuffer";

socket.onopen = () => {
  const buffer = new ArrayBuffer(1024);
  new Uint8Array(buffer)[0] = 65;
  socket.send("Hello, everybody!");
  socket.send(buffer);
};

socket.onmessage = (event) => {
  const line = document.createElement("p");
  if (typeof event.data === "string") {
    line.textContent = `text: ${event.data}`;
  } else {
    const bytes = new Uint8Array(event.data);
    line.textContent = `${bytes.length} bytes, the first is ${bytes[0]}`;
  }
  document.body.append(line);
};
