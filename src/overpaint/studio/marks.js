/** Changes of the map that is painted on, each of which can be undone. */

import { ChangeMap, copyOf, putBack, united } from "./map.js";
import { store } from "./store.js";
import { remember } from "./undo.js";
import { redraw } from "./viewport.js";

/** @typedef {import("./view.js").Rect} Rect */

/** The map that is painted on; null: the base map, where there is none yet. @returns {ChangeMap | null} */
export function activeMap() {
  const { marks } = store.state;
  const layer = marks.layers.find((one) => one.id === marks.active);
  return layer === undefined ? marks.base : layer.map;
}

/** The strength of the stroke, as what it paints. @returns {number} 0 to 255 */
export function strengthByte() {
  return Math.round(255 * store.state.tool.strength);
}

/** One change of the map that is painted on: begun, gone on with as often as wanted, and ended or taken back. */
export class MapChange {
  #words;
  /** @type {Uint8Array} */
  #before;
  #made;
  /** @type {Rect | null} */
  #rect = null;

  /**
   * No base map means that everything changes. So what is painted first is all that changes; what is taken away first,
   * all that does not.
   * @param {string} words  for undo
   * @param {boolean} [away]
   */
  constructor(words, away = false) {
    const { marks, picture } = store.state;
    if (picture === null) throw new Error("there is no picture to mark");
    this.#words = words;
    const map = activeMap();
    this.#made = map === null;
    this.map = map ?? new ChangeMap(picture.width, picture.height);
    if (map === null) {
      if (away) this.map.data.fill(255);
      marks.base = this.map;
      this.map.changed();
      store.touch("marks");
    }
    this.#before = this.map.data.slice();
  }

  /** What was changed just now is drawn. @param {Rect | null} rect */
  changed(rect) {
    if (rect === null) return;
    this.#rect = united(this.#rect, rect);
    this.map.changed(rect);
    redraw();
  }

  /** All is again as it was before; the change may go on. */
  reset() {
    if (this.#rect === null) return;
    const { width } = this.map;
    const { x, y, w, h } = this.#rect;
    for (let at = y * width + x; at < (y + h) * width + x; at += width) {
      this.map.data.set(this.#before.subarray(at, at + w), at);
    }
    this.map.changed(this.#rect);
    this.#rect = null;
    redraw();
  }

  end() {
    const { map } = this;
    const rect = this.#rect;
    if (rect === null) {
      this.cancel();
      return;
    }
    let other = copyOf(new ChangeMap(map.width, map.height, this.#before), rect);
    const made = this.#made;
    // what is kept is the other of the two: undo and redo both exchange it with what is in the map
    const exchange = () => {
      const now = copyOf(map, rect);
      putBack(map, rect, other);
      other = now;
      map.changed(rect);
    };
    remember({
      words: this.#words,
      bytes: other.length,
      undo: () => {
        exchange();
        if (made) store.state.marks.base = null;
        store.touch("marks");
      },
      redo: () => {
        exchange();
        if (made) store.state.marks.base = map;
        store.touch("marks");
      },
    });
    store.touch("marks");
  }

  cancel() {
    this.reset();
    if (this.#made) store.state.marks.base = null;
    store.touch("marks");
  }
}

/**
 * Change the map that is painted on, in one go.
 * @param {string} words  for undo
 * @param {(map: ChangeMap) => Rect | null} change  tells where
 * @param {boolean} [away]  it takes away: without a map it is from everywhere
 */
export function changeMap(words, change, away = false) {
  if (store.state.picture === null) return;
  const one = new MapChange(words, away);
  one.changed(change(one.map));
  one.end();
}

/** Everything may change again; a layer covers nothing any more. @param {string} words */
export function clearMap(words) {
  const { marks } = store.state;
  const map = activeMap();
  if (map === null) return;
  if (map !== marks.base) {
    changeMap(words, (layer) => {
      const rect = layer.bounds();
      layer.data.fill(0);
      return rect;
    });
    return;
  }
  const put = (/** @type {ChangeMap | null} */ base) => {
    store.state.marks.base = base;
    base?.changed();
    store.touch("marks");
  };
  put(null);
  remember({ words, bytes: map.data.length, undo: () => put(map), redo: () => put(null) });
}
