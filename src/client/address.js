// Where the hub's sockets are.

/**
 * The address of a room's socket.
 *
 * @param {string} base the page's or the hub's address, http or https
 * @param {string} room
 * @param {{ name: string, publish?: boolean }} who `publish: false` is one who only listens
 * @returns {string}
 */
export function roomAddress(base, room, { name, publish = true }) {
  const address = socketAddress(base, `/rooms/${encodeURIComponent(room)}/ws`);
  address.searchParams.set('name', name);
  if (!publish) address.searchParams.set('publish', 'false');
  return address.href;
}

/**
 * The address of a recording's replay.
 *
 * @param {string} base the page's or the hub's address, http or https
 * @param {string} id the recording's
 * @param {{ from?: number }} [start] `from` is in seconds from the session's start; below 0 from its end
 * @returns {string}
 */
export function recordingAddress(base, id, { from = 0 } = {}) {
  const address = socketAddress(base, `/recordings/${encodeURIComponent(id)}/ws`);
  if (from !== 0) address.searchParams.set('from', String(from));
  return address.href;
}

/**
 * The address of what goes on in all rooms and recordings.
 *
 * @param {string} base the page's or the hub's address, http or https
 * @returns {string}
 */
export function eventsAddress(base) {
  return socketAddress(base, '/api/v1/events').href;
}

/**
 * @param {string} base
 * @param {string} path
 */
function socketAddress(base, path) {
  const address = new URL(path, base);
  address.protocol = address.protocol.replace('http', 'ws');
  return address;
}
