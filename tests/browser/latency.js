// From capture to ear, measured by hand: `node tests/browser/latency.js [clicks] [browser]`. Not a test.
//
// One page sends clicks into a room and finds them in what it hears of it, on the sample clock of one AudioContext: once by
// the engine (Publisher, hub, Listener), and in the same run as a page does without it (MediaRecorder at 250 ms, the plain
// protocol with preroll=0, one SourceBuffer). What a microphone and a loudspeaker add is not in it; the latter is printed.
// ROOMTONE_BINARY names the hub.

import { startChromium, startFirefox } from './browsers.js';
import { startHub } from './hub.js';

const clicks = Number(process.argv[2] ?? 60);
const [start, browserName] = process.argv[3] === 'firefox' ? [startFirefox, 'Firefox'] : [startChromium, 'Chromium'];

/** Runs in the page before its own code: everything that is heard goes to `window.ears` too. */
function openEars() {
  const connect = /** @type {(this: AudioNode, target: AudioNode, ...rest: number[]) => AudioNode} */ (AudioNode.prototype.connect);
  const it = /** @type {any} */ (window);
  AudioNode.prototype.connect = /** @type {any} */ (
    /** @this {AudioNode} @param {AudioNode} target @param {number[]} rest */
    function (target, ...rest) {
      if (target === it.ear?.context.destination) connect.call(this, it.ear);
      return connect.call(this, target, ...rest);
    }
  );
}

/** Runs in the page. @param {number} clicks */
async function measure(clicks) {
  const load = (/** @type {string} */ module) => import(`/client/${module}.js`);
  const [{ RoomClient, roomAddress }, { CONTEXT, Listener }, { Publisher }] = await Promise.all(['connection', 'listener', 'publisher'].map(load));
  const context = new AudioContext(CONTEXT);
  await context.resume();
  await context.audioWorklet.addModule('/client/capture-worklet.js');

  /** A node that finds clicks, and when it found them, in frames. */
  const ear = () => {
    const node = new AudioWorkletNode(context, 'roomtone-capture', { channelCount: 1, channelCountMode: 'explicit', processorOptions: { frames: 960, channels: 1 } });
    /** @type {number[]} */
    const found = [];
    let last = -Infinity;
    node.port.onmessage = ({ data: { frame, planes } }) => {
      planes[0].forEach((/** @type {number} */ sample, /** @type {number} */ index) => {
        // A click lasts 10 ms, and the next is half a second away.
        if (Math.abs(sample) > 0.1 && frame + index - last > 0.2 * context.sampleRate) found.push(frame + index);
        if (Math.abs(sample) > 0.1) last = frame + index;
      });
    };
    node.connect(new GainNode(context, { gain: 0 })).connect(context.destination);
    return { node, found };
  };
  const [engine, plain] = [ear(), ear()];

  // What is said: silence that is none, as in a room, and clicks.
  const said = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const noise = new AudioBuffer({ length: context.sampleRate, sampleRate: context.sampleRate });
  noise.getChannelData(0).forEach((_, index, samples) => (samples[index] = (Math.random() - 0.5) * 0.004));
  const hum = new AudioBufferSourceNode(context, { buffer: noise, loop: true });
  hum.connect(said);
  hum.start();
  const burst = new AudioBuffer({ length: 480, sampleRate: context.sampleRate });
  burst.getChannelData(0).forEach((_, index, samples) => (samples[index] = 0.6 * Math.sin((2 * Math.PI * 2000 * index) / context.sampleRate)));

  // The engine.
  const join = (/** @type {string} */ name) => {
    const client = new RoomClient({ address: roomAddress(location.origin, 'engine', { name }) });
    const joined = new Promise((resolve) => client.on('state', (/** @type {any} */ state) => state.kind === 'joined' && resolve(null)));
    client.connect();
    return joined.then(() => client);
  };
  const [speaker, hearer] = await Promise.all(['Speaker', 'Hearer'].map(join));
  /** @type {any} */ (window).ear = engine.node;
  const listener = new Listener(context);
  /** @type {any} */ (window).ear = null;
  hearer.on('tracks', (/** @type {any} */ tracks) => listener.follow(tracks));
  hearer.on('packets', (/** @type {any} */ message) => listener.take(message));
  const publisher = new Publisher(speaker);
  await publisher.start(said.stream.clone());

  // Without it.
  const address = new URL('/rooms/plain/ws', location.origin.replace('http', 'ws'));
  const socket = async (/** @type {string} */ query) => {
    const it = new WebSocket(`${address}?${query}`);
    it.binaryType = 'arraybuffer';
    await new Promise((resolve) => (it.onopen = resolve));
    return it;
  };
  const [up, down] = await Promise.all([socket('name=Speaker'), socket('publish=false&preroll=0')]);
  const audio = new Audio();
  const media = new MediaSource();
  audio.src = URL.createObjectURL(media);
  await new Promise((resolve) => media.addEventListener('sourceopen', resolve, { once: true }));
  const buffer = media.addSourceBuffer('audio/webm;codecs=opus');
  buffer.mode = 'sequence';
  /** @type {ArrayBuffer[]} */
  const waiting = [];
  const feed = () => {
    const message = buffer.updating ? undefined : waiting.shift();
    if (message) buffer.appendBuffer(message);
  };
  buffer.onupdateend = feed;
  down.onmessage = ({ data }) => {
    waiting.push(data);
    feed();
  };
  context.createMediaElementSource(audio).connect(plain.node);
  void audio.play();
  const recorder = new MediaRecorder(said.stream, { mimeType: 'audio/webm;codecs=opus' });
  recorder.ondataavailable = ({ data }) => up.send(data);
  recorder.start(250);

  // All has settled when this has passed.
  const begin = context.currentTime + 4;
  const sent = Array.from({ length: clicks }, (_, index) => Math.round((begin + index + Math.random() * 0.1) * context.sampleRate));
  for (const frame of sent) {
    const click = new AudioBufferSourceNode(context, { buffer: burst });
    click.connect(said);
    click.start(frame / context.sampleRate);
  }
  const end = begin + clicks + 2;
  while (context.currentTime < end) await new Promise((resolve) => setTimeout(resolve, 200));
  const delays = (/** @type {{ found: number[] }} */ { found }) => sent.flatMap((frame) => {
    const heard = found.find((/** @type {number} */ it) => it >= frame && it < frame + 0.9 * context.sampleRate);
    return heard === undefined ? [] : [((heard - frame) * 1000) / context.sampleRate];
  });
  return {
    ways: [Publisher.ways[0], Listener.ways[0]],
    engine: delays(engine),
    plain: delays(plain),
    rate: context.sampleRate,
    loudspeaker: context.outputLatency * 1000,
  };
}

const hub = await startHub();
const browser = await start();
const page = await browser.page({ before: openEars });
await page.open(`${hub.address}/`);
const { ways, engine, plain, loudspeaker } = await page.run(measure, clicks);
for (const error of page.errors) console.error(error);
/** @param {string} name @param {number[]} delays */
function print(name, delays) {
  const sorted = [...delays].sort((one, other) => one - other);
  const at = (/** @type {number} */ share) => Math.round(sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? NaN);
  console.log(`${name}: median ${at(0.5)} ms, p95 ${at(0.95)} ms, least ${at(0)}, most ${at(1)} (${delays.length} of ${clicks} clicks)`);
}
print(`${browserName}, ${ways.join(' and ')}`, engine);
print(`${browserName}, MediaRecorder at 250 ms and MSE`, plain);
console.log(`the loudspeaker adds ${Math.round(loudspeaker)} ms to either`);
await browser.close();
await hub.stop();
