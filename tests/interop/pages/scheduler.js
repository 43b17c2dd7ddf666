// Decodes each message by itself, in the order in which they come, and plays them one after another.
const context = new AudioContext({ sampleRate: 48000 });
const socket = new WebSocket("ws://localhost:8080/?publish=false");
socket.binaryType = "arraybuffer";
let before = Promise.resolve();
let next = 0;

socket.onmessage = (event) => {
  before = before.then(() => play(event.data));
};

async function play(message) {
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(message);
  source.connect(context.destination);
  next = Math.max(next, context.currentTime + 0.1);
  source.start(next);
  next += source.buffer.duration;
}
