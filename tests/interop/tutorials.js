// The pages of tests/interop/pages, as their readers have them: on a server of their own, changed in nothing but the address
// of the hub.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

/** The hub's address as the pages write it, for WebSocket and for Socket.IO. */
const WRITTEN = /(ws:\/\/localhost:8080\/|http:\/\/localhost:8080)/g;
/** How a page connects by Socket.IO: the address, and options where it has any. */
const CONNECTS = /io\("([^"]+)"(, \{)?/;

/**
 * @typedef {object} Tutorials
 * @property {string} origin
 * @property {(page: string, address: string, query?: string) => string} at a page's address, for a hub or a room of
 *   this address; `query` stands in the place of the one that the page has, and is the only transport of Socket.IO
 * @property {() => Promise<void>} close
 */

/** A page of Socket.IO that may use one transport only. @param {string} page @param {string} transport */
function byOne(page, transport) {
  return page.replace(CONNECTS, (_, address, more) => `io("${address}", { transports: ["${transport}"]${more ? ',' : ' }'}`);
}

/** @returns {Promise<Tutorials>} */
export async function startTutorials() {
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    try {
      const isPage = pathname.endsWith('.html');
      const written = await readFile(new URL(`pages${pathname}${isPage ? '' : '.js'}`, import.meta.url), 'utf8');
      let text = written.replaceAll(WRITTEN, searchParams.get('hub') ?? '$&');
      const query = searchParams.get('query');
      if (query) text = isPage ? byOne(text, query) : text.replace(/\?[a-z0-9=&]+"/, `?${query}"`);
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(isPage ? text : `<!doctype html>\n<title>${pathname}</title>\n<link rel="icon" href="data:,">\n<button id="start">Start</button>\n<script>\n${text}</script>\n`);
    } catch (error) {
      response.writeHead(404).end(String(error));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  return {
    origin,
    at: (page, address, query) => `${origin}/${page}?${new URLSearchParams({ hub: address, ...(query ? { query } : {}) })}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
