// A wire between browsers and a hub that can be cut, stalled and mended.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * @typedef {object} Proxy
 * @property {string} address without a slash at its end
 * @property {() => void} cut breaks every connection, and each new one at once
 * @property {() => void} stall breaks nothing, and lets no byte through any more
 * @property {(hub?: string) => void} mend lets everything through again, new connections to another hub if one is given
 * @property {() => Promise<void>} close
 */

/** @param {string} hub its address @returns {Promise<Proxy>} */
export async function startProxy(hub) {
  let target = new URL(hub);
  /** @type {'whole' | 'stalled' | 'cut'} */
  let state = 'whole';
  /** Each end, and where what comes from it goes. @type {Map<import('node:net').Socket, import('node:net').Socket>} */
  const sockets = new Map();
  const server = createServer((near) => {
    if (state === 'cut') return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of /** @type {const} */ ([[near, far], [far, near]])) {
      sockets.set(one, other);
      if (state === 'whole') one.pipe(other);
      // An end of either is an end of both; an error is followed by its close.
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    state = 'cut';
    for (const socket of sockets.keys()) socket.destroy();
  };
  return {
    address: `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`,
    cut,
    stall: () => {
      state = 'stalled';
      for (const [one, other] of sockets) one.unpipe(other).pause();
    },
    mend: (other = target.href) => {
      target = new URL(other);
      if (state === 'stalled') for (const [near, far] of sockets) near.pipe(far);
      state = 'whole';
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
