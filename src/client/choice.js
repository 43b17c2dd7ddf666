// Which microphone one has chosen and how it is to sound: kept as text, read with care, offered as a list.

/**
 * As `openMicrophone` takes it.
 *
 * @typedef {object} Choice
 * @property {string} deviceId the browser's own if empty
 * @property {boolean} echoCancellation
 * @property {boolean} noiseSuppression
 * @property {boolean} autoGainControl
 */

/** The switches, in the order in which they are shown. */
export const SWITCHES = Object.freeze(/** @type {const} */ (['echoCancellation', 'noiseSuppression', 'autoGainControl']));

/** Right for a voice at a desk without headphones, as most people have it. @type {Readonly<Choice>} */
export const USUAL = Object.freeze({ deviceId: '', echoCancellation: true, noiseSuppression: true, autoGainControl: true });

/**
 * Reads what was remembered. What is missing or of another kind is as usual.
 *
 * @param {string | null} text
 * @returns {Choice}
 */
export function choiceOf(text) {
  /** @type {any} */
  let found = null;
  try {
    found = JSON.parse(text ?? 'null');
  } catch {
    // Then all of it is as usual.
  }
  const choice = { ...USUAL };
  if (typeof found?.deviceId === 'string') choice.deviceId = found.deviceId;
  for (const name of SWITCHES) if (typeof found?.[name] === 'boolean') choice[name] = found[name];
  return choice;
}

/**
 * The list to choose from. Before a microphone was allowed, browsers do not name any; one that was chosen and is not
 * there now stays chosen and says so.
 *
 * @param {{ deviceId: string, label: string }[]} devices
 * @param {string} chosen a device's ID, empty for the browser's own
 * @returns {{ value: string, text: string }[]}
 */
export function offered(devices, chosen) {
  const known = devices.filter(({ deviceId }) => deviceId !== '' && deviceId !== 'default' && deviceId !== 'communications');
  const list = known.map(({ deviceId, label }, index) => ({ value: deviceId, text: label || `Microphone ${index + 1}` }));
  const gone = chosen !== '' && !known.some(({ deviceId }) => deviceId === chosen);
  return [{ value: '', text: 'Default microphone' }, ...list, ...(gone ? [{ value: chosen, text: 'Chosen earlier, not there now' }] : [])];
}
