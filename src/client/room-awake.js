// Keeps the screen awake while one talks (Screen Wake Lock). A browser that cannot, or will not on a low battery, lets it
// sleep.

/** @type {{ wanted: boolean, lock: WakeLockSentinel | null }} */
const awake = { wanted: false, lock: null };

document.addEventListener('visibilitychange', () => void hold());

/** @param {boolean} wanted */
export function stayAwake(wanted) {
  awake.wanted = wanted;
  if (wanted) void hold();
  else void letGo();
}

/** A lock is lost whenever the page is hidden. */
async function hold() {
  if (!awake.wanted || document.hidden || !('wakeLock' in navigator) || (awake.lock && !awake.lock.released)) return;
  const lock = await navigator.wakeLock.request('screen').catch(() => null);
  if (lock && (!awake.wanted || (awake.lock && !awake.lock.released))) return lock.release();
  awake.lock = lock;
}

async function letGo() {
  const { lock } = awake;
  awake.lock = null;
  await lock?.release();
}
