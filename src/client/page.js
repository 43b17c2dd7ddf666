// What the pages share: finding and making elements, and saying what is wrong.

/**
 * The element with this ID, which the page has.
 *
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function find(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return element;
}

/**
 * Makes an element. A child that is text becomes text, never markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ [attribute: string]: string }} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Writes text only where it changes, so that a screen reader is not told the same again.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Shows a sentence, or hides its place where there is none.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function say(element, text) {
  write(element, text);
  element.hidden = text === '';
}

/**
 * Lets a button be pressed, or not. Unlike one that is disabled it keeps the focus, for those who go by keys; so what it does
 * has to ask `isAllowed`.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} may
 */
export function allow(button, may) {
  button.setAttribute('aria-disabled', String(!may));
}

/** @param {HTMLButtonElement} button */
export function isAllowed(button) {
  return button.getAttribute('aria-disabled') !== 'true';
}

/**
 * Makes a list show these items, each by its key: elements that stay are kept as they are, so that what plays in them
 * plays on.
 *
 * @template Item
 * @param {HTMLElement} list
 * @param {Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => HTMLElement} create
 * @param {(element: HTMLElement, item: Item) => void} update
 */
export function reconcile(list, items, keyOf, create, update) {
  const old = new Map([...list.children].map((element) => [/** @type {HTMLElement} */ (element).dataset.key, element]));
  let place = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = /** @type {HTMLElement | undefined} */ (old.get(key));
    old.delete(key);
    if (!element) {
      element = create(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of old.values()) element.remove();
}
