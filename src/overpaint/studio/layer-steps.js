/** What is done with layers: each of it can be undone, but for the choice of the one that is painted on. */

import { newId } from "./ids.js";
import { ChangeMap } from "./map.js";
import { store } from "./store.js";
import { remember } from "./undo.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */

const own = words.layers;
export const MOST = 16; // the server takes no more

/** Choose what is painted on. @param {string} id  "base" or a layer's */
export function paintOn(id) {
  store.state.marks.active = id;
  store.touch("marks");
}

/**
 * Do a thing that can be undone.
 * @param {string} words  what undo would take back
 * @param {number} bytes
 * @param {() => void} redo
 * @param {() => void} undo
 */
export function done(words, bytes, redo, undo) {
  const told = (/** @type {() => void} */ call) => () => {
    call();
    store.touch("marks");
  };
  told(redo)();
  remember({ undo: told(undo), redo: told(redo), bytes, words });
}

/** @param {Layer} layer @param {number} at @param {string} active  what is painted on, once it is there */
function putIn(layer, at, active) {
  store.state.marks.layers.splice(at, 0, layer);
  store.state.marks.active = active;
}

/** @param {Layer} layer */
function takeOut(layer) {
  const { marks } = store.state;
  marks.layers = marks.layers.filter((one) => one !== layer);
  if (marks.active === layer.id) marks.active = "base";
}

/** A new region, empty, that is painted on. */
export function add() {
  const { picture, marks } = store.state;
  if (picture === null || marks.layers.length >= MOST) return;
  const map = new ChangeMap(picture.width, picture.height);
  /** @type {Layer} */
  const layer = { id: newId(), prompt: "", strength: null, map };
  const at = marks.layers.length;
  done(own.added, map.data.length, () => putIn(layer, at, layer.id), () => takeOut(layer));
}

/** Take a region away. @param {Layer} layer */
export function remove(layer) {
  const { marks } = store.state;
  const at = marks.layers.indexOf(layer);
  const active = marks.active;
  done(own.removed, layer.map.data.length, () => takeOut(layer), () => putIn(layer, at, active));
}

/** All of the picture may change again. */
export function clearBase() {
  const { marks } = store.state;
  const before = marks.base;
  if (before === null) return;
  done(own.cleared, before.data.length, () => (marks.base = null), () => (marks.base = before));
}
