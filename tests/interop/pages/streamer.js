// Everybody says what their microphone hears, and plays each message that comes, as it is.
class AudioStreamer {
  constructor(address) {
    this.socket = new WebSocket(address);
    this.socket.onmessage = (event) => this.play(event.data);
  }

  async start() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const recorder = new MediaRecorder(stream, { mimeType: "audio/webm;codecs=opus" });
    recorder.ondataavailable = (event) => this.socket.send(event.data);
    recorder.start(250);
  }

  play(message) {
    new Audio(URL.createObjectURL(new Blob([message], { type: "audio/webm" }))).play();
  }
}

const streamer = new AudioStreamer("ws://localhost:8080/");
document.querySelector("#start").onclick = () => streamer.start();
