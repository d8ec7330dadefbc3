/**
 * The brush: a disc with a soft or hard rim that is swept along a line. What is painted does not depend on into how many
 * pieces the pointer's way is cut, for a piece gives each pixel the most that the disc covers it with on its way.
 *
 * @typedef {{x: number, y: number, r: number}} Dab  the disc at one place: its centre and radius in the picture's pixels
 */

import { clipped, united } from "./map.js";

/**
 * @typedef {import("./map.js").ChangeMap} ChangeMap
 * @typedef {import("./view.js").Rect} Rect
 */

const LEAST = 0.5; // pixels: a smaller disc would miss the centres of pixels

/**
 * How much of a pixel is covered whose centre is `distance` away from the disc's centre: 1 inside, 0 outside, and
 * between them a smoothstep, one pixel wide where the brush is hard and as wide as the radius where it is soft.
 * @param {number} distance
 * @param {number} radius
 * @param {number} hardness  0 to 1
 */
export function coverage(distance, radius, hardness) {
  const rim = 1 + (1 - hardness) * Math.max(radius - LEAST, 0);
  const t = Math.min(Math.max((radius + 0.5 - distance) / rim, 0), 1);
  return t * t * (3 - 2 * t);
}

/**
 * Sweep the brush from one place to another: brighter, where it covers, up to `value`; or, taking away, darker.
 * @param {ChangeMap} map
 * @param {Dab} from
 * @param {Dab} to
 * @param {number} hardness
 * @param {number} value  0 to 255
 * @param {boolean} [away]
 * @returns {Rect | null} where it may have changed
 */
export function sweep(map, from, to, hardness, value, away = false) {
  // a long slanted piece would be a large rectangle with little in it
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const pieces = Math.max(1, Math.ceil(length / (4 * Math.max(from.r, to.r) + 16)));
  /** @type {Rect | null} */
  let rect = null;
  for (let i = 0; i < pieces; i += 1) {
    const piece = sweepPiece(map, between(from, to, i / pieces), between(from, to, (i + 1) / pieces), hardness, value, away);
    rect = united(rect, piece);
  }
  return rect;
}

/** @param {Dab} a @param {Dab} b @param {number} t @returns {Dab} */
function between(a, b, t) {
  return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t, r: a.r + (b.r - a.r) * t };
}

/**
 * @param {ChangeMap} map
 * @param {Dab} from
 * @param {Dab} to
 * @param {number} hardness
 * @param {number} value
 * @param {boolean} away
 */
function sweepPiece(map, from, to, hardness, value, away) {
  const reach = Math.max(from.r, to.r, LEAST) + 0.5;
  const [left, right] = [Math.min(from.x, to.x) - reach, Math.max(from.x, to.x) + reach];
  const rect = clipped(map, left, Math.min(from.y, to.y) - reach, right, Math.max(from.y, to.y) + reach);
  if (rect === null) return null;
  const { data, width } = map;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const square = dx * dx + dy * dy;
  const lean = leaning(from, to, square);
  const larger = to.r > from.r ? 1 : 0;
  for (let y = rect.y; y < rect.y + rect.h; y += 1) {
    const py = y + 0.5 - from.y;
    for (let x = rect.x; x < rect.x + rect.w; x += 1) {
      const px = x + 0.5 - from.x;
      const aside = Math.abs(px * dy - py * dx);
      const t = lean === null ? larger : Math.min(Math.max((px * dx + py * dy + lean * aside) / square, 0), 1);
      const [ox, oy] = [px - t * dx, py - t * dy];
      const far = ox * ox + oy * oy;
      if (far >= reach * reach) continue;
      const radius = Math.max(from.r + (to.r - from.r) * t, LEAST);
      const painted = Math.round(value * coverage(Math.sqrt(far), radius, hardness));
      const at = y * width + x;
      const old = /** @type {number} */ (data[at]);
      if (away) data[at] = Math.min(old, 255 - painted);
      else if (painted > old) data[at] = painted;
    }
  }
  return rect;
}

/**
 * By how much the place from where the disc covers a pixel most is beyond the nearest one, for each pixel that it lies
 * aside: where the disc grows on its way, a later and larger one covers more.
 * @param {Dab} from
 * @param {Dab} to
 * @param {number} square  of the distance between them
 * @returns {number | null} null: one disc is in the other, and the larger one covers most everywhere
 */
function leaning(from, to, square) {
  const grows = to.r - from.r;
  const rest = square - grows * grows;
  return rest > 0 ? grows / Math.sqrt(rest) : null;
}
