// A client of Socket.IO in Node: the real one, unmodified.

import { io } from 'socket.io-client';

import { until } from './peer.js';

/** @typedef {{ participant: string, name: string }} From */
/** @typedef {{ audio: boolean, audioBuffer: Buffer, recording: string, seconds: number }} AudioFile */
/** @typedef {{ ok: boolean, error?: { code: string, message: string }, recording?: string, seconds?: number }} Answer */

export class Guest {
  /** What came: the event, and its arguments. @type {[string, ...any[]][]} */
  came = [];
  /** Why it was disconnected, each time. @type {string[]} */
  ends = [];
  /** What was said where it was not let in. @type {string[]} */
  refused = [];

  /**
   * @param {string} address of the hub, and a namespace where it has one
   * @param {{ room?: string, name?: string, publish?: string }} query
   * @param {Partial<import('socket.io-client').ManagerOptions>} [options]
   */
  constructor(address, query, options = {}) {
    // Each is a client of its own; by itself the module lets those of one address share one. One that a failed test has left
    // would come back for ever, and keep the test's file from ending.
    this.socket = io(address, { query, forceNew: true, autoUnref: true, reconnectionDelay: 100, reconnectionDelayMax: 500, ...options });
    this.socket.onAny((event, ...all) => this.came.push([event, ...all]));
    this.socket.on('disconnect', (reason) => this.ends.push(reason));
    this.socket.on('connect_error', ({ message }) => this.refused.push(message));
  }

  /** @param {ConstructorParameters<typeof Guest>} all @returns {Promise<Guest>} */
  static async join(...all) {
    const guest = new Guest(...all);
    await until('it is connected', () => guest.socket.connected);
    return guest;
  }

  /** The arguments of what came of an event. @param {string} event @returns {any[][]} */
  of(event) {
    return this.came.filter(([name]) => name === event).map(([, ...all]) => all);
  }

  /** Binary that came, whose first is the sound of someone. @param {string} [name] @returns {Buffer[]} */
  sound(name) {
    return this.of('chunk').filter(([, from]) => name === undefined || from.name === name).map(([bytes]) => bytes);
  }

  /** The name of the transport that it uses. */
  get transport() {
    return this.socket.io.engine.transport.name;
  }

  leave() {
    this.socket.disconnect();
  }
}
