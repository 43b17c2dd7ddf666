// The same with Blobs, which is what a WebSocket gives when nobody asks for anything else.
const socket = new WebSocket("ws://localhost:8080/");
socket.binaryType = "blob";

socket.onopen = () => socket.send(new Blob([new Uint8Array(1024).fill(66)]));

socket.onmessage = async (event) => {
  const line = document.createElement("p");
  if (event.data instanceof Blob) {
    const bytes = new Uint8Array(await event.data.arrayBuffer());
    line.textContent = `${event.data.size} bytes, the first is ${bytes[0]}`;
  } else {
    line.textContent = `text: ${event.data}`;
  }
  document.body.append(line);
};
