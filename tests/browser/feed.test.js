// A room's podcast feed, as programs read it that are made for podcasts: Podcasting 2.0's parser, and one for all kinds of feeds.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { parseRssFeed } from 'feedsmith';
import { parseFeed } from 'podcast-partytime';

import { startHub } from './hub.js';
import { record, tone } from './recorded.js';

/** How long a mix may take to be made, in ms. */
const PATIENCE = 60_000;
const HOSTILE = 'A "talk" </title> & <b>more</b> ]]>';
/** @type {import('./hub.js').Hub} */
let hub;

before(async () => {
  hub = await startHub({ grace: 1 });
});
after(() => hub?.stop());

/** @param {string} path @param {'POST' | 'PATCH'} method @param {object} body */
async function tell(path, method, body) {
  const response = await fetch(hub.address + path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  assert.ok(response.ok, await response.text());
}

test('what is published is in the feed with its sound, its people and its chapters, and nothing else is', async () => {
  const said = { name: 'Ann & <Ben>', sound: tone(500), seconds: 2 };
  const [published, other] = await Promise.all([record(hub, 'studio', said), record(hub, 'elsewhere', said)]);
  const path = `/api/v1/recordings/${published.id}`;
  await tell(`${path}/markers`, 'POST', { at: 1.5, text: HOSTILE });
  await tell(path, 'PATCH', { title: HOSTILE, published: true });
  const address = `${hub.address}/rooms/studio/feed.xml`;
  /** @type {Response} */
  let response;
  let xml = '';
  for (const end = Date.now() + PATIENCE; ; ) {
    response = await fetch(address);
    xml = await response.text();
    if (xml.includes('<item>')) break;
    assert.ok(Date.now() < end, 'it does not come into the feed');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.equal(response.headers.get('content-type'), 'application/rss+xml; charset=utf-8');
  assert.ok(!xml.includes(other.id));

  const feed = parseRssFeed(xml);
  const [item] = feed.items ?? [];
  assert.ok(item);
  assert.deepEqual([feed.title, feed.link, feed.items?.length], ['studio', `${hub.address}/rooms/studio`, 1]);
  assert.deepEqual([item.title, item.guid?.value, item.guid?.isPermaLink], [HOSTILE, published.id, false]);
  const age = Date.now() - new Date(item.pubDate ?? '').getTime();
  assert.ok(age > -2_000 && age < 2 * PATIENCE, item.pubDate);
  assert.deepEqual(item.psc?.chapters?.map(({ start, title }) => [start, title]), [['00:00:00.000', HOSTILE], ['00:00:01.500', HOSTILE]]);

  const podcast = parseFeed(xml);
  assert.ok(podcast, 'the parser of Podcasting 2.0 takes it');
  const [episode] = podcast.items;
  assert.ok(episode);
  assert.equal(podcast.pubsub?.self, address);
  assert.deepEqual(episode.podcastPeople?.map(({ name }) => name), ['Ann & <Ben>']);
  assert.equal(episode.duration, Math.round(published.duration));
  assert.equal(episode.podcastChapters?.type, 'application/json+chapters');
  const chapters = await (await fetch(episode.podcastChapters?.url ?? '')).json();
  assert.deepEqual(chapters.chapters, [{ startTime: 0, title: HOSTILE }, { startTime: 1.5, title: HOSTILE }]);

  // Another title is made into the mix: it may change while it is asked for.
  for (const end = Date.now() + PATIENCE; ; ) {
    const [now] = parseRssFeed(await (await fetch(address)).text()).items ?? [];
    const [enclosure] = now?.enclosures ?? [];
    const sound = await fetch(enclosure?.url ?? '');
    const { byteLength } = await sound.arrayBuffer();
    assert.match(sound.headers.get('content-type') ?? '', /^audio\/ogg/);
    if (byteLength === enclosure?.length && enclosure.type === 'audio/ogg') break;
    assert.ok(Date.now() < end, `${byteLength} are not ${enclosure?.length} bytes`);
  }

  const tag = (await fetch(address)).headers.get('etag') ?? '';
  assert.equal((await fetch(address, { headers: { 'if-none-match': tag } })).status, 304);
  await tell(path, 'PATCH', { published: false });
  const after = await fetch(address, { headers: { 'if-none-match': tag } });
  assert.deepEqual([after.status, parseRssFeed(await after.text()).items ?? []], [200, []]);
});
