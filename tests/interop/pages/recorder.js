// Says in the room what the microphone hears, four times a second.
const socket = new WebSocket("ws://localhost:8080/");

document.querySelector("#start").onclick = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream, { mimeType: "audio/webm;codecs=opus" });
  recorder.ondataavailable = (event) => socket.send(event.data);
  recorder.start(250);
};
