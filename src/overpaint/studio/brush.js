/** What a tool does between the pointer going down and up: strokes of brush, eraser and colour brush. */

import { MapChange, strengthByte } from "./marks.js";
import { shapeGesture } from "./shapes.js";
import { store } from "./store.js";
import { Ink, Strokes } from "./strokes.js";
import { sweep } from "./sweep.js";
import { hold, remember } from "./undo.js";
import { redraw } from "./viewport.js";
import { words } from "./words.js";

/**
 * @typedef {import("./sweep.js").Dab} Dab
 * @typedef {import("./view.js").Rect} Rect
 *
 * @typedef {object} Point  where the pointer is, in the picture's pixels
 * @property {number} x
 * @property {number} y
 * @property {number} pressure  0 to 1; 1 where the pointer feels none
 *
 * @typedef {object} Keys  what is held
 * @property {boolean} alt  take away instead
 * @property {boolean} shift  a straight line from the last stroke's end; a square box
 *
 * @typedef {object} Gesture
 * @property {(points: Point[], keys: Keys) => void} move
 * @property {() => void} end
 * @property {() => void} cancel
 */

const LIGHTEST = 0.1; // of the brush's size, at no pressure at all

let colourLast = false; // whether the last stroke was of colour: that is what the eraser erases
/** @type {Dab | null} */
let lastEnd = null;

/** Whether the eraser takes away colour strokes rather than the map. */
export function erasesColour() {
  return colourLast && store.state.strokes !== null;
}

/**
 * The pointer goes down.
 * @param {Point} at
 * @param {Keys} keys
 * @returns {Gesture | null}
 */
export function begin(at, keys) {
  const { tool, picture, overlay } = store.state;
  if (picture === null || tool.name === "pan") return null;
  if (store.state.shown.what !== "picture") store.set({ shown: { what: "picture", job: null } });
  const isColour = tool.name === "colour" || (tool.name === "eraser" && erasesColour());
  if (!isColour && !overlay.shown) store.set({ overlay: { ...overlay, shown: true } });
  if (tool.name !== "eraser") colourLast = isColour;
  const away = keys.alt || tool.name === "eraser";
  if (isColour) return held(inkStroke(at, keys, away));
  if (tool.name === "brush" || tool.name === "eraser") return held(mapStroke(at, keys, away));
  return held(shapeGesture(tool.name, at, away));
}

/** While it goes on, nothing can be undone beneath it. @param {Gesture | null} gesture @returns {Gesture | null} */
function held(gesture) {
  if (gesture === null) return null;
  hold(true);
  const ended = (/** @type {() => void} */ call) => () => {
    hold(false);
    call();
  };
  return { move: gesture.move, end: ended(gesture.end), cancel: ended(gesture.cancel) };
}

/** @param {Point} at @returns {Dab} */
function dabAt({ x, y, pressure }) {
  return { x, y, r: (store.state.tool.size / 2) * Math.max(pressure, LIGHTEST) };
}

/**
 * Follow the pointer with discs: from one to the next, `paint` is called.
 * @param {Point} at
 * @param {Keys} keys
 * @param {(from: Dab, to: Dab) => void} paint
 */
function follow(at, keys, paint) {
  let last = dabAt(at);
  paint(keys.shift && lastEnd !== null ? lastEnd : last, last);
  lastEnd = last;
  return (/** @type {Point[]} */ points) => {
    for (const point of points) {
      const dab = dabAt(point);
      paint(last, dab);
      last = dab;
    }
    lastEnd = last;
  };
}

/** @param {Point} at @param {Keys} keys @param {boolean} away @returns {Gesture} */
function mapStroke(at, keys, away) {
  const { hardness } = store.state.tool;
  const value = strengthByte();
  const change = new MapChange(away ? words.canvas.did.erase : words.canvas.did.brush, away);
  const move = follow(at, keys, (from, to) => change.changed(sweep(change.map, from, to, hardness, value, away)));
  return { move, end: () => change.end(), cancel: () => change.cancel() };
}

/** @param {Point} at @param {Keys} keys @param {boolean} away @returns {Gesture | null} */
function inkStroke(at, keys, away) {
  const { tool, picture, strokes: old } = store.state;
  if (picture === null || (away && old === null)) return null;
  const strokes = old ?? new Strokes(picture.width, picture.height);
  if (old === null) store.set({ strokes });
  const ink = new Ink(strokes, tool.colour, away);
  const value = strengthByte();
  const move = follow(at, keys, (from, to) => {
    const rect = sweep(ink.cover, from, to, tool.hardness, value);
    if (rect === null) return;
    ink.changed(rect);
    redraw();
  });
  return {
    move,
    end: () => {
      if (ink.rect === null) store.set({ strokes: old });
      else rememberInk(ink, ink.rect, old === null, away ? words.canvas.did.eraseColour : words.canvas.did.colour);
    },
    cancel: () => {
      ink.undo();
      store.set({ strokes: old });
    },
  };
}

/** @param {Ink} ink @param {Rect} rect @param {boolean} first  there were no strokes before @param {string} told */
function rememberInk(ink, rect, first, told) {
  const { strokes } = ink;
  const [before, after] = ink.bothOf(rect);
  /** @param {ImageData} pixels @param {Strokes | null} now */
  const show = (pixels, now) => {
    strokes.put(pixels, rect);
    store.set({ strokes: now });
  };
  remember({
    words: told,
    bytes: 2 * before.data.length,
    undo: () => show(before, first ? null : strokes),
    redo: () => show(after, strokes),
  });
  store.touch("strokes");
}

/** All colour strokes go. */
export function clearStrokes() {
  const { strokes } = store.state;
  if (strokes === null) return;
  store.set({ strokes: null });
  remember({
    words: words.canvas.did.clearColour,
    bytes: 4 * strokes.width * strokes.height,
    undo: () => store.set({ strokes }),
    redo: () => store.set({ strokes: null }),
  });
}

/** The last stroke's end is none of another picture's. */
export function forgetStroke() {
  lastEnd = null;
  colourLast = false;
}
