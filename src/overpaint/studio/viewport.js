/** Where the stage looks: one view for all that is drawn over the picture. */

import { fit, limited, MAX_SCALE, moved, scaledAt } from "./view.js";
import { store } from "./store.js";

/**
 * @typedef {import("./view.js").View} View
 * @typedef {import("./view.js").Area} Area
 * @typedef {import("./view.js").Rect} Rect
 */

/** @type {View} */
let view = { scale: 1, x: 0, y: 0 };
/** @type {Area} */
let area = { w: 1, h: 1 };
let fitted = true; // until a person moves it, the view fits, at any size of the stage
/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {View} */
export function currentView() {
  return view;
}

/** @returns {Area} of the stage, in CSS pixels */
export function currentArea() {
  return area;
}

/** Hear that the view changed, or that what it shows is to be drawn again. @param {() => void} call */
export function onView(call) {
  listeners.add(call);
  return () => listeners.delete(call);
}

export function redraw() {
  for (const call of [...listeners]) call();
}

/** By how much the picture is to grow: left, top, right, bottom. @returns {[number, number, number, number]} */
export function extension() {
  const [left = 0, top = 0, right = 0, bottom = 0] = String(store.state.params.extend ?? "").split(",").map(Number);
  return [left || 0, top || 0, right || 0, bottom || 0];
}

/** The picture with what it is to grow by, in its own pixels. @returns {Rect} */
export function canvasRect() {
  const { width, height } = store.state.picture ?? { width: 1, height: 1 };
  const [left, top, right, bottom] = extension();
  return { x: -left, y: -top, w: width + left + right, h: height + top + bottom };
}

/** @param {View} wanted */
export function setView(wanted) {
  fitted = false;
  view = limited(wanted, area, canvasRect());
  redraw();
}

/** @param {Area} now */
export function setArea(now) {
  const [dx, dy] = [(now.w - area.w) / 2, (now.h - area.h) / 2];
  area = now;
  if (fitted) fitView();
  else setView(moved(view, dx, dy));
}

export function fitView() {
  fitted = true;
  view = fit(area, canvasRect());
  redraw();
}

/**
 * Nearer, or farther where `factor` is below 1.
 * @param {number} factor
 * @param {number} [x]  on the stage; its middle, if not said
 * @param {number} [y]
 */
export function zoom(factor, x = area.w / 2, y = area.h / 2) {
  const least = Math.min(fit(area, canvasRect()).scale / 2, 1);
  const scale = Math.min(Math.max(view.scale * factor, least), MAX_SCALE);
  setView(scaledAt(view, scale, x, y));
}

/** One pixel of the picture for one of CSS. */
export function fullSize() {
  zoom(1 / view.scale);
}

/** @param {number} dx @param {number} dy  CSS pixels */
export function pan(dx, dy) {
  setView(moved(view, dx, dy));
}
