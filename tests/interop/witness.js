// What a page does that knows nothing of its being watched: what its sockets bring, what it plays, what it schedules.

/**
 * @typedef {object} Seen
 * @property {WebSocket[]} sockets
 * @property {(string | ArrayBuffer | Blob)[]} messages what came, as the page got it
 * @property {{ state: string, duration: number }[]} played each `play()`: `asked`, then `ended`, or what went wrong
 * @property {{ sound: AudioBuffer, when: number }[]} scheduled each `start()` of a buffer, in the order in which they sound
 */

/** Runs in the page, before its own code, so it must stand alone. */
export function installWitness() {
  /** @type {Seen} */
  const seen = { sockets: [], messages: [], played: [], scheduled: [] };
  window.seen = seen;

  window.WebSocket = class extends WebSocket {
    /** @param {string | URL} address @param {string | string[]} [protocols] */
    constructor(address, protocols) {
      super(address, protocols);
      seen.sockets.push(this);
      // decodeAudioData takes an ArrayBuffer away from everybody else.
      this.addEventListener('message', ({ data }) => seen.messages.push(data instanceof ArrayBuffer ? data.slice(0) : data));
    }
  };

  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    const it = { state: 'asked', duration: NaN };
    seen.played.push(it);
    this.addEventListener('ended', () => Object.assign(it, { state: 'ended', duration: this.duration }));
    this.addEventListener('error', () => (it.state = `error: ${this.error?.message}`));
    const answer = play.call(this);
    answer.catch((error) => (it.state = String(error)));
    return answer;
  };

  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = /** @this {AudioBufferSourceNode} @param {number} [when] @param {number[]} rest */ function (when = 0, ...rest) {
    if (this.buffer) seen.scheduled.push({ sound: this.buffer, when });
    return start.call(this, when, ...rest);
  };
}
