/** Change maps, and what maps have to do with rectangles. */

/** @typedef {import("./view.js").Rect} Rect */

/** Where to change, and how much: a byte for each pixel of the picture, 0 keeps it and 255 lets it change fully. */
export class ChangeMap {
  /**
   * What changed since it was last drawn; the overlay draws that and sets it to null.
   * @type {Rect | null}
   */
  fresh = null;

  /**
   * @param {number} width
   * @param {number} height
   * @param {Uint8Array} [data]
   */
  constructor(width, height, data = new Uint8Array(width * height)) {
    if (data.length !== width * height) throw new RangeError(`${data.length} bytes are no map of ${width}x${height}`);
    this.width = width;
    this.height = height;
    this.data = data;
  }

  clone() {
    return new ChangeMap(this.width, this.height, this.data.slice());
  }

  isEmpty() {
    return this.data.every((value) => value === 0);
  }

  /** @returns {Rect | null} the smallest rectangle around all that is not 0 */
  bounds() {
    const { width, height, data } = this;
    let [left, right, top, bottom] = [width, -1, height, -1];
    for (let y = 0; y < height; y += 1) {
      const row = data.subarray(y * width, (y + 1) * width);
      const first = row.findIndex(Boolean);
      if (first === -1) continue;
      let last = width - 1;
      while (row[last] === 0) last -= 1;
      left = Math.min(left, first);
      right = Math.max(right, last);
      top = Math.min(top, y);
      bottom = y;
    }
    return bottom === -1 ? null : { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
  }

  /** Whoever changes `data` says where, so that it is drawn. @param {Rect | null} [rect] */
  changed(rect = wholeOf(this)) {
    this.fresh = united(this.fresh, rect);
  }
}

/** @param {{width: number, height: number}} map @returns {Rect} */
export function wholeOf({ width, height }) {
  return { x: 0, y: 0, w: width, h: height };
}

/**
 * The smallest rectangle around two.
 * @param {Rect | null} a
 * @param {Rect | null} b
 * @returns {Rect | null}
 */
export function united(a, b) {
  if (a === null || b === null) return a ?? b;
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return { x, y, w: Math.max(a.x + a.w, b.x + b.w) - x, h: Math.max(a.y + a.h, b.y + b.h) - y };
}

/**
 * The whole pixels of a map that have something of [left, right) x [top, bottom); null: there are none.
 * @param {{width: number, height: number}} map
 * @param {number} left
 * @param {number} top
 * @param {number} right
 * @param {number} bottom
 * @returns {Rect | null}
 */
export function clipped({ width, height }, left, top, right, bottom) {
  const [x, y] = [Math.max(Math.floor(left), 0), Math.max(Math.floor(top), 0)];
  const w = Math.min(Math.ceil(right), width) - x;
  const h = Math.min(Math.ceil(bottom), height) - y;
  return w > 0 && h > 0 ? { x, y, w, h } : null;
}

/**
 * A rectangle with `by` pixels more on each side, as far as the map goes.
 * @param {{width: number, height: number}} map
 * @param {Rect} rect
 * @param {number} by
 * @returns {Rect}
 */
export function widened(map, { x, y, w, h }, by) {
  return clipped(map, x - by, y - by, x + w + by, y + h + by) ?? wholeOf(map);
}

/** A copy of the bytes of a rectangle. @param {ChangeMap} map @param {Rect} rect @returns {Uint8Array} */
export function copyOf(map, { x, y, w, h }) {
  const bytes = new Uint8Array(w * h);
  for (let row = 0; row < h; row += 1) {
    const start = (y + row) * map.width + x;
    bytes.set(map.data.subarray(start, start + w), row * w);
  }
  return bytes;
}

/** @param {ChangeMap} map @param {Rect} rect @param {Uint8Array} bytes  of that rectangle */
export function putBack(map, { x, y, w, h }, bytes) {
  for (let row = 0; row < h; row += 1) {
    map.data.set(bytes.subarray(row * w, (row + 1) * w), (y + row) * map.width + x);
  }
}

/**
 * One value of a map joined with what is painted there: the larger of both; or, taking away, what is painted is the
 * most that is taken away of white.
 * @param {number} old
 * @param {number} painted
 * @param {boolean} away
 */
export function joined(old, painted, away) {
  return away ? Math.min(old, 255 - painted) : Math.max(old, painted);
}

/**
 * Join a whole map into another, at a share of its values.
 * @param {ChangeMap} map
 * @param {ChangeMap} other  of the same size
 * @param {boolean} away  take it away instead
 * @param {number} [share]  0 to 1
 * @returns {Rect | null} where `map` may have changed
 */
export function join(map, other, away, share = 1) {
  if (map.width !== other.width || map.height !== other.height) throw new RangeError("the maps differ in size");
  const rect = other.bounds();
  const { data } = map;
  for (let i = 0; i < data.length; i += 1) {
    const painted = other.data[i] ?? 0;
    if (painted !== 0) data[i] = joined(data[i] ?? 0, Math.round(painted * share), away);
  }
  return rect;
}
