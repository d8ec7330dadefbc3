/** Changes of a change map as a whole, and shapes: functions of (map, ...) that tell where the map may have changed. */

import { clipped, copyOf, joined, putBack, widened, wholeOf } from "./map.js";

/**
 * @typedef {import("./map.js").ChangeMap} ChangeMap
 * @typedef {import("./view.js").Rect} Rect
 * @typedef {import("./view.js").Place} Place
 */

/**
 * A box from one point to another, both pixels included.
 * @param {ChangeMap} map
 * @param {Place} from
 * @param {Place} to
 * @param {number} value  0 to 255
 * @param {boolean} [away]  take it away instead
 * @returns {Rect | null}
 */
export function box(map, from, to, value, away = false) {
  const left = Math.floor(Math.min(from.x, to.x));
  const top = Math.floor(Math.min(from.y, to.y));
  const right = Math.floor(Math.max(from.x, to.x)) + 1;
  const rect = clipped(map, left, top, right, Math.floor(Math.max(from.y, to.y)) + 1);
  if (rect === null) return null;
  for (let y = rect.y; y < rect.y + rect.h; y += 1) {
    for (let at = y * map.width + rect.x; at < y * map.width + rect.x + rect.w; at += 1) {
      map.data[at] = joined(map.data[at] ?? 0, value, away);
    }
  }
  return rect;
}

/**
 * A linear gradient: all of `value` at the first point and before it, falling evenly to 0 at the second and beyond. As
 * the server's tool `linear`, points are pixels.
 * @param {ChangeMap} map
 * @param {Place} from
 * @param {Place} to
 * @param {number} value
 * @param {boolean} [away]
 * @returns {Rect | null}
 */
export function gradient(map, from, to, value, away = false) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const square = dx * dx + dy * dy;
  if (square === 0) return null;
  const { width, height, data } = map;
  for (let y = 0; y < height; y += 1) {
    // along the row it changes by the same each time; counted from the row's start, so that nothing adds up
    const start = 1 - ((0.5 - from.x) * dx + (y + 0.5 - from.y) * dy) / square;
    for (let x = 0; x < width; x += 1) {
      const share = Math.min(start - (x * dx) / square, 1);
      if (share <= 0) continue;
      const at = y * width + x;
      data[at] = joined(data[at] ?? 0, Math.round(value * share), away);
    }
  }
  return wholeOf(map);
}

/** @param {ChangeMap} map @param {number} value @returns {Rect} */
export function fillAll(map, value) {
  map.data.fill(value);
  return wholeOf(map);
}

/** @param {ChangeMap} map @returns {Rect} */
export function invert(map) {
  const { data } = map;
  for (let i = 0; i < data.length; i += 1) data[i] = 255 - (data[i] ?? 0);
  return wholeOf(map);
}

/**
 * Let white grow by so many pixels in all directions, or shrink where that is below 0: each pixel becomes the largest
 * (smallest) in a disc around it. Beyond the picture's edge there is neither.
 * @param {ChangeMap} map
 * @param {number} pixels
 * @returns {Rect | null}
 */
export function grow(map, pixels) {
  const radius = Math.abs(Math.trunc(pixels));
  const bounds = map.bounds();
  if (bounds === null || radius === 0) return null;
  const rect = widened(map, bounds, radius);
  const bytes = copyOf(map, rect);
  const shrinks = pixels < 0;
  if (shrinks) turnOver(bytes);
  const out = largestInDisc(bytes, rect.w, rect.h, radius);
  if (shrinks) turnOver(out);
  putBack(map, rect, out);
  return rect;
}

/** @param {Uint8Array} bytes */
function turnOver(bytes) {
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = 255 - (bytes[i] ?? 0);
}

/**
 * Row by row of the disc, from the outermost: each chord is the one before it made wider.
 * @param {Uint8Array} bytes
 * @param {number} w
 * @param {number} h
 * @param {number} radius
 */
function largestInDisc(bytes, w, h, radius) {
  const out = bytes.slice();
  let chord = bytes;
  let reach = 0;
  for (let dy = Math.min(radius, h - 1); dy >= 0; dy -= 1) {
    const half = Math.min(Math.floor(Math.sqrt(radius * radius - dy * dy)), w - 1);
    for (; reach < half; reach += 1) chord = widerByOne(chord, w, h);
    const rows = (h - dy) * w;
    takeLarger(out, dy * w, chord, 0, rows);
    takeLarger(out, 0, chord, dy * w, rows);
  }
  return out;
}

/** @param {Uint8Array} bytes @param {number} w @param {number} h */
function widerByOne(bytes, w, h) {
  const out = bytes.slice();
  for (let y = 0; y < h; y += 1) {
    takeLarger(out, y * w + 1, bytes, y * w, w - 1);
    takeLarger(out, y * w, bytes, y * w + 1, w - 1);
  }
  return out;
}

/** @param {Uint8Array} out @param {number} to @param {Uint8Array} from @param {number} start @param {number} count */
function takeLarger(out, to, from, start, count) {
  for (let i = 0; i < count; i += 1) {
    const value = /** @type {number} */ (from[start + i]);
    if (value > /** @type {number} */ (out[to + i])) out[to + i] = value;
  }
}
