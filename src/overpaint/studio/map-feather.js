/** A soft border for a change map. */

import { copyOf, putBack, widened } from "./map.js";

/**
 * @typedef {import("./map.js").ChangeMap} ChangeMap
 * @typedef {import("./view.js").Rect} Rect
 */

/**
 * A border as wide as `pixels`, half of it inside and half outside: three box blurs, which are nearly a Gaussian. The
 * picture's edge is no border.
 * @param {ChangeMap} map
 * @param {number} pixels
 * @returns {Rect | null}
 */
export function feather(map, pixels) {
  const bounds = map.bounds();
  const reach = Math.round(pixels / 2);
  if (bounds === null || reach < 1) return null;
  const rect = widened(map, bounds, reach);
  // with 8 more bits between the passes, else a wide border shows steps
  let values = Uint16Array.from(copyOf(map, rect), (value) => value << 8);
  for (let left = 3, rest = reach; left > 0; left -= 1) {
    const radius = Math.round(rest / left);
    rest -= radius;
    if (radius > 0) values = blurred(blurred(values, rect.w, rect.h, radius, true), rect.w, rect.h, radius, false);
  }
  putBack(map, rect, Uint8Array.from(values, (value) => Math.min((value + 128) >> 8, 255)));
  return rect;
}

/**
 * The mean of each pixel with its `radius` neighbours before and after it; beyond the edge the edge goes on.
 * @param {Uint16Array} values
 * @param {number} w
 * @param {number} h
 * @param {number} radius
 * @param {boolean} along  rows, or columns
 */
function blurred(values, w, h, radius, along) {
  const out = new Uint16Array(values.length);
  const [lines, count, step, next] = along ? [h, w, 1, w] : [w, h, w, 1];
  const size = 2 * radius + 1;
  for (let line = 0; line < lines; line += 1) {
    const start = line * next;
    const at = (/** @type {number} */ i) =>
      /** @type {number} */ (values[start + Math.min(Math.max(i, 0), count - 1) * step]);
    let sum = 0;
    for (let i = -radius; i <= radius; i += 1) sum += at(i);
    for (let i = 0; i < count; i += 1) {
      out[start + i * step] = Math.round(sum / size);
      sum += at(i + radius + 1) - at(i - radius);
    }
  }
  return out;
}
