/** Keyboard shortcuts: registered by who does what they stand for, listed by the help sheet. */

/**
 * @typedef {object} Shortcut
 * @property {string} combo  as "Ctrl+Z", "B", "[" or "Shift+1"; "Ctrl" is Cmd on a Mac
 * @property {string} what  what it does, for the help sheet
 * @property {(event: KeyboardEvent) => unknown} call
 */

/** @type {Map<string, Shortcut>} */
const known = new Map();

/** @returns {Shortcut[]} */
export function shortcuts() {
  return [...known.values()];
}

/**
 * @param {string} combo
 * @param {string} what
 * @param {(event: KeyboardEvent) => unknown} call
 */
export function shortcut(combo, what, call) {
  known.set(combo.toLowerCase(), { combo, what, call });
}

/** What was pressed, as a combo. @param {KeyboardEvent} event */
function pressed(event) {
  const parts = [event.ctrlKey || event.metaKey ? "ctrl" : "", event.altKey ? "alt" : ""];
  const key = event.key.toLowerCase();
  // of a sign such as "?" the shift is part of the sign
  if (event.shiftKey && (key.length > 1 || /[a-z0-9]/.test(key))) parts.push("shift");
  return [...parts.filter(Boolean), key].join("+");
}

/** Whether what is pressed is meant for a field that is written in. @param {EventTarget | null} target */
function writes(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button", "color"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

document.addEventListener("keydown", (event) => {
  const combo = pressed(event);
  const found = known.get(combo);
  if (found === undefined || event.defaultPrevented) return;
  if (writes(event.target) && combo !== "ctrl+enter") return;
  if (document.querySelector("dialog[open]") !== null && combo !== "escape") return;
  event.preventDefault();
  found.call(event);
});
