// A plain client in Node, on the other side of what a test looks at.

import { once } from 'node:events';

import WebSocket from 'ws';

/** How long anything may take, in ms. Only a failure ever takes that long. */
export const PATIENCE = 60_000;
/** How much of a file is sent in one message, in bytes. */
const PIECE = 65_536;

export class Peer {
  /** Binary that came. @type {Buffer[]} */
  binary = [];
  /** Text that came. @type {string[]} */
  text = [];

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on('message', (message, isBinary) => {
      if (isBinary) this.binary.push(/** @type {Buffer} */ (message));
      else this.text.push(String(message));
    });
  }

  /** @param {string} address @returns {Promise<Peer>} */
  static async join(address) {
    const socket = new WebSocket(address);
    const peer = new Peer(socket);
    await once(socket, 'open');
    return peer;
  }

  /** @param {string | Uint8Array} message */
  send(message) {
    this.socket.send(message);
  }

  /** Sends a file in messages that the hub takes. @param {Uint8Array} file */
  say(file) {
    for (let at = 0; at < file.length; at += PIECE) this.send(file.subarray(at, at + PIECE));
  }

  leave() {
    this.socket.terminate();
  }
}

/**
 * Waits until something holds.
 *
 * @param {string} what said where it never does
 * @param {() => unknown} condition
 */
export async function until(what, condition) {
  for (const end = Date.now() + PATIENCE; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
