// A wire between browsers and a hub that can be cut and mended.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * @typedef {object} Proxy
 * @property {string} address without a slash at its end
 * @property {() => void} cut breaks every connection, and each new one at once
 * @property {(hub?: string) => void} mend lets connections through again, to another hub if one is given
 * @property {() => Promise<void>} close
 */

/** @param {string} hub its address @returns {Promise<Proxy>} */
export async function startProxy(hub) {
  let target = new URL(hub);
  let whole = true;
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const server = createServer((near) => {
    if (!whole) return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of /** @type {const} */ ([[near, far], [far, near]])) {
      sockets.add(one);
      one.pipe(other);
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
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`,
    cut,
    mend: (other = target.href) => {
      target = new URL(other);
      whole = true;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
