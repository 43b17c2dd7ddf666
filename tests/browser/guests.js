// People in rooms without a browser: connections that say what a page would say, as many as a test needs.


import WebSocket from 'ws';

import { roomAddress } from '../../src/client/address.js';
import { encode } from '../../src/client/packets.js';

/** Opus for silence: CELT, 20 ms. */
const PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);
const TICKS = 960;
const PATIENCE = 20_000;

/** Someone in a room, over `roomtone.v1`. */
export class Guest {
  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    this.packets = 0;
  }

  /**
   * @param {string} hub its address
   * @param {string} room
   * @param {string} name
   * @param {{ publish?: boolean }} [role]
   * @returns {Promise<Guest>}
   */
  static async join(hub, room, name, role = {}) {
    const socket = new WebSocket(roomAddress(hub, room, { name, ...role }), 'roomtone.v1');
    await heard(socket, 'welcome');
    return new Guest(socket);
  }

  /** Talks for a moment: the track stays live. @param {number} [packets] each is 20 ms */
  async talk(packets = 10) {
    if (this.packets === 0) {
      const published = heard(this.socket, 'published');
      this.#say({ type: 'publish', track: 1, source: 'packets', format: { codec: 'opus', channels: 1 } });
      await published;
    }
    const durable = heard(this.socket, 'durable');
    const sound = Array.from({ length: packets }, () => PACKET);
    const place = { discontinuity: false, backlog: false, first: this.packets, time: this.packets * TICKS };
    this.socket.send(encode({ track: 1, ...place, packets: sound }));
    this.packets += packets;
    await durable;
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#say({ type: 'mute', track: 1, muted });
  }

  /** Stays, and talks no more. */
  fallSilent() {
    this.#say({ type: 'unpublish', track: 1 });
  }

  leave() {
    this.socket.close();
  }

  /** @param {object} message */
  #say(message) {
    this.socket.send(JSON.stringify(message));
  }
}

/**
 * A recording for each of these rooms, ended once this returns. All at once, so that a hundred take no longer than one.
 *
 * @param {string} hub its address
 * @param {{ room: string, people: string[] }[]} sessions
 */
export async function record(hub, sessions) {
  await Promise.all(sessions.map(async ({ room, people }) => {
    const guests = await Promise.all(people.map((name) => Guest.join(hub, room, name)));
    for (const guest of guests) await guest.talk();
    for (const guest of guests) guest.leave();
  }));
  const rooms = new Set(sessions.map(({ room }) => room));
  for (const end = Date.now() + PATIENCE; ; ) {
    const { recordings } = await get(hub, '/api/v1/recordings?state=ended&limit=200');
    const ended = new Set(recordings.map((/** @type {{ room: string }} */ { room }) => room));
    if ([...rooms].every((room) => ended.has(room))) return;
    if (Date.now() > end) throw new Error(`of ${rooms.size} sessions ${ended.size} ended`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** @param {string} hub @param {string} path */
export async function get(hub, path) {
  const response = await fetch(hub + path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** The next notice of this type. @param {WebSocket} socket @param {string} type @returns {Promise<any>} */
function heard(socket, type) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${type} came`)), PATIENCE);
    /** @param {import('ws').RawData} data @param {boolean} isBinary */
    const take = (data, isBinary) => {
      const notice = isBinary ? null : JSON.parse(data.toString());
      if (notice?.type !== type) return;
      clearTimeout(timer);
      socket.off('message', take);
      resolve(notice);
    };
    socket.on('message', take);
    socket.once('error', reject);
  });
}
