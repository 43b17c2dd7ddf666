// Collects what is said, and plays all of it when the button is pressed.
const socket = new WebSocket("ws://localhost:8080/?as=ogg");
socket.binaryType = "arraybuffer";
const messages = [];
socket.onmessage = (event) => messages.push(event.data);

document.querySelector("#start").onclick = async () => {
  const whole = new Uint8Array(messages.reduce((sum, message) => sum + message.byteLength, 0));
  let length = 0;
  for (const message of messages) {
    whole.set(new Uint8Array(message), length);
    length += message.byteLength;
  }
  const context = new AudioContext();
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(whole.buffer);
  source.connect(context.destination);
  source.start();
};
