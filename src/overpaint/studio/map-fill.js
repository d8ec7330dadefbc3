/** Flood fill of a change map. */

import { clipped, united } from "./map.js";

/**
 * @typedef {import("./map.js").ChangeMap} ChangeMap
 * @typedef {import("./view.js").Rect} Rect
 * @typedef {import("./view.js").Place} Place
 */

/**
 * Fill the area around a point that has the point's own value. Its border is a stroke's rim, which rises over a few
 * pixels: the fill goes up that slope too, or a thin line of the old value would stay.
 * @param {ChangeMap} map
 * @param {Place} at
 * @param {number} value  0 to 255
 * @returns {Rect | null}
 */
export function flood(map, at, value) {
  const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
  if (x < 0 || y < 0 || x >= map.width || y >= map.height) return null;
  const old = map.data[y * map.width + x] ?? 0;
  if (old === value) return null;
  /** @type {number[]} */
  const rim = [];
  const rect = level(map, x, y, old, value, rim);
  return united(rect, slope(map, rim, old, value));
}

/**
 * The area of one value, a run of a row at a time; what borders on it goes into `rim`.
 * @param {ChangeMap} map
 * @param {number} x
 * @param {number} y
 * @param {number} old
 * @param {number} value
 * @param {number[]} rim
 * @returns {Rect | null}
 */
function level({ data, width, height }, x, y, old, value, rim) {
  const waits = [y * width + x];
  let [left, right, top, bottom] = [x, x, y, y];
  for (let seed = waits.pop(); seed !== undefined; seed = waits.pop()) {
    if (data[seed] !== old) continue;
    const row = Math.floor(seed / width);
    let [first, last] = [seed, seed];
    while (first > row * width && data[first - 1] === old) first -= 1;
    while (last < (row + 1) * width - 1 && data[last + 1] === old) last += 1;
    data.fill(value, first, last + 1);
    if (first > row * width) rim.push(first - 1);
    if (last < (row + 1) * width - 1) rim.push(last + 1);
    for (const side of [-width, width]) {
      if ((side < 0 && row === 0) || (side > 0 && row === height - 1)) continue;
      seedsOf(data, first + side, last + side, old, waits, rim);
    }
    [left, right] = [Math.min(left, first - row * width), Math.max(right, last - row * width)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
  }
  return { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
}

/**
 * One seed for each run of `old`; what is no such run borders on the area.
 * @param {Uint8Array} data
 * @param {number} first
 * @param {number} last
 * @param {number} old
 * @param {number[]} waits
 * @param {number[]} rim
 */
function seedsOf(data, first, last, old, waits, rim) {
  let inside = false;
  for (let at = first; at <= last; at += 1) {
    const same = data[at] === old;
    if (same && !inside) waits.push(at);
    if (!same) rim.push(at);
    inside = same;
  }
}

/**
 * Go on from the rim, from pixel to neighbour, as long as values come nearer to the one that is filled in.
 * @param {ChangeMap} map
 * @param {number[]} rim
 * @param {number} old
 * @param {number} value
 * @returns {Rect | null}
 */
function slope(map, rim, old, value) {
  const { data, width, height } = map;
  const up = value > old;
  const nearer = (/** @type {number} */ was, /** @type {number} */ now) =>
    up ? now > was && now < value : now < was && now > value;
  /** @type {Rect | null} */
  let rect = null;
  const waits = rim.filter((at) => nearer(old, data[at] ?? 0));
  for (let at = waits.pop(); at !== undefined; at = waits.pop()) {
    const was = data[at] ?? 0;
    if (was === value) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    if (x > 0 && nearer(was, data[at - 1] ?? 0)) waits.push(at - 1);
    if (x < width - 1 && nearer(was, data[at + 1] ?? 0)) waits.push(at + 1);
    if (y > 0 && nearer(was, data[at - width] ?? 0)) waits.push(at - width);
    if (y < height - 1 && nearer(was, data[at + width] ?? 0)) waits.push(at + width);
    data[at] = value;
    rect = united(rect, clipped(map, x, y, x + 1, y + 1));
  }
  return rect;
}
