// Says in the room what the microphone hears, as plain samples; the address declares what they are.
const socket = new WebSocket("ws://localhost:8080/?format=f32le&rate=48000");

document.querySelector("#start").onclick = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext({ sampleRate: 48000 });
  const processor = context.createScriptProcessor(4096, 1, 1);
  processor.onaudioprocess = (event) => {
    const samples = new Float32Array(event.inputBuffer.getChannelData(0));
    socket.send(samples.buffer);
  };
  context.createMediaStreamSource(stream).connect(processor);
  processor.connect(context.destination);
};
