// Decodes each message by itself, and plays them one after another.
const context = new AudioContext({ sampleRate: 48000 });
const socket = new WebSocket("ws://localhost:8080/?publish=false");
socket.binaryType = "arraybuffer";
let next = 0;

socket.onmessage = async (event) => {
  const sound = await context.decodeAudioData(event.data);
  const source = context.createBufferSource();
  source.buffer = sound;
  source.connect(context.destination);
  next = Math.max(next, context.currentTime + 0.1);
  source.start(next);
  next += sound.duration;
};
