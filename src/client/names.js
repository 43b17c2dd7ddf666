// The names that people give, of rooms and of themselves: what is allowed, and a sentence for what is not.

const ROOM = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const LONGEST = 64;
// C0, DEL and C1 (Unicode category Cc), as the hub sees it.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * What is wrong with a room's name, as a sentence that says what to do; `null` where nothing is.
 *
 * @param {string} name
 * @returns {string | null}
 */
export function roomNameProblem(name) {
  if (ROOM.test(name)) return null;
  if (name === '') return 'Give the room a name.';
  if (name.length > LONGEST) return `A room’s name has at most ${LONGEST} characters; this one has ${name.length}.`;
  if (/^[_-]/.test(name)) return 'A room’s name begins with a letter or a digit.';
  return 'A room’s name has only the letters A to Z, digits, hyphens and underscores. Try a hyphen for a space.';
}

/**
 * What is wrong with a participant's name, as a sentence that says what to do; `null` where nothing is. Spaces at its
 * ends do not count.
 *
 * @param {string} name
 * @returns {string | null}
 */
export function participantNameProblem(name) {
  const trimmed = name.trim();
  if (trimmed === '') return 'Say who you are: the others will see this name.';
  const length = [...trimmed].length;
  if (length > LONGEST) return `A name has at most ${LONGEST} characters; this one has ${length}.`;
  if (CONTROL.test(trimmed)) return 'A name cannot have line breaks or control characters.';
  return null;
}
