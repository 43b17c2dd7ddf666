// A site beside the hub that draws its waveforms with the libraries that others use, as they come from npm.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The libraries, by what pages call them. */
const LIBRARIES = new Map([
  ['/peaks.js', '../node_modules/peaks.js/dist/peaks.js'],
  ['/wavesurfer.js', '../node_modules/wavesurfer.js/dist/wavesurfer.min.js'],
]);

const PAGE = `<!doctype html>
<html lang="en">
  <title>Players</title>
  <link rel="icon" href="data:,">
  <style>div { width: 800px; height: 128px }</style>
  <script src="/peaks.js"></script>
  <script src="/wavesurfer.js"></script>
  <div id="zoomed"></div><div id="overview"></div><div id="waves"></div><audio id="audio"></audio>
</html>`;

/**
 * Serves a page with the libraries, and all else as the hub does: so the page has the hub's files without asking another site.
 *
 * @param {import('./hub.js').Hub} hub
 * @returns {Promise<{ address: string, close: () => Promise<void> }>}
 */
export async function startSite(hub) {
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    const library = LIBRARIES.get(path);
    if (path === '/players') return void response.setHeader('content-type', 'text/html').end(PAGE);
    if (library) {
      response.setHeader('content-type', 'text/javascript');
      return void response.end(await readFile(fileURLToPath(new URL(library, import.meta.url))));
    }
    const { range } = request.headers;
    const answer = await fetch(hub.address + path, { headers: range ? { range } : {} });
    const kept = ['content-type', 'content-range', 'accept-ranges', 'retry-after'];
    for (const name of kept) if (answer.headers.has(name)) response.setHeader(name, answer.headers.get(name) ?? '');
    response.statusCode = answer.status;
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { address: `http://127.0.0.1:${port}`, close };
}
