/** The maps as they are shown over the picture: each in a colour of its own, as opaque as it is bright. */

import { hueOf } from "./hues.js";
import { clipped, united } from "./map.js";
import { bytesOf } from "./strokes.js";

/**
 * @typedef {import("./map.js").ChangeMap} ChangeMap
 * @typedef {import("./store.js").Marks} Marks
 * @typedef {import("./view.js").Rect} Rect
 */

const LARGEST = 24_000_000; // pixels: of a larger picture only every second or third pixel is shown

/** A colour as CSS writes it, as three bytes. @param {OffscreenCanvas} canvas @param {string} colour */
function bytesIn(canvas, colour) {
  const context = canvas.getContext("2d");
  if (context === null) return bytesOf(colour);
  context.fillStyle = colour;
  return bytesOf(String(context.fillStyle));
}

/** @param {Marks} marks @param {ChangeMap} map */
function indexOf(marks, map) {
  return marks.layers.findIndex((layer) => layer.map === map);
}

/** One canvas for all maps; only what changed is written to it. */
export class Overlay {
  /** @type {OffscreenCanvas | null} */
  canvas = null;
  #step = 1;
  #key = "";
  /** @type {ChangeMap[]} */
  #maps = [];

  /**
   * Bring the canvas up to date; null: there is nothing to show.
   * @param {Marks} marks
   * @param {string} colour
   * @returns {OffscreenCanvas | null}
   */
  update(marks, colour) {
    const maps = [marks.base, ...marks.layers.map((layer) => layer.map)].filter((map) => map !== null);
    const first = maps[0];
    if (first === undefined) {
      this.canvas = null;
      this.#maps = [];
      return null;
    }
    const colours = maps.map((map) => (map === marks.base ? colour : hueOf(indexOf(marks, map))));
    const key = `${colours.join()} ${first.width}x${first.height}`;
    const same = key === this.#key && maps.length === this.#maps.length && maps.every((map, i) => map === this.#maps[i]);
    if (!same) first.changed();
    const canvas = this.#canvasFor(first);
    this.#key = key;
    this.#maps = maps;
    const rect = maps.reduce((sum, map) => united(sum, map.fresh), /** @type {Rect | null} */ (null));
    for (const map of maps) map.fresh = null;
    if (rect !== null) this.#draw(canvas, maps, colours.map((one) => bytesIn(canvas, one)), rect);
    return canvas;
  }

  /** @param {ChangeMap} map */
  #canvasFor({ width, height }) {
    this.#step = Math.ceil(Math.sqrt((width * height) / LARGEST));
    const [w, h] = [Math.ceil(width / this.#step), Math.ceil(height / this.#step)];
    if (this.canvas?.width !== w || this.canvas.height !== h) this.canvas = new OffscreenCanvas(w, h);
    return this.canvas;
  }

  /** @param {OffscreenCanvas} canvas @param {ChangeMap[]} maps @param {number[][]} colours @param {Rect} rect */
  #draw(canvas, maps, colours, rect) {
    const context = canvas.getContext("2d");
    const step = this.#step;
    const [right, bottom] = [(rect.x + rect.w) / step, (rect.y + rect.h) / step];
    const part = clipped(canvas, rect.x / step, rect.y / step, right, bottom);
    if (!context || part === null) return;
    const pixels = context.createImageData(part.w, part.h);
    maps.forEach((map, i) => layOver(pixels, part, map, step, colours[i] ?? []));
    context.putImageData(pixels, part.x, part.y);
  }
}

/**
 * @param {ImageData} pixels
 * @param {Rect} part  of the canvas
 * @param {ChangeMap} map
 * @param {number} step
 * @param {number[]} colour
 */
function layOver({ data }, part, map, step, [r = 0, g = 0, b = 0]) {
  for (let y = 0; y < part.h; y += 1) {
    const row = (part.y + y) * step * map.width;
    for (let x = 0; x < part.w; x += 1) {
      const value = /** @type {number} */ (map.data[row + (part.x + x) * step]);
      if (value === 0) continue;
      const at = 4 * (y * part.w + x);
      const old = /** @type {number} */ (data[at + 3]);
      // this over what is there already, in straight alpha
      const sum = value + (old * (255 - value)) / 255;
      const share = value / sum;
      data[at] = r * share + /** @type {number} */ (data[at]) * (1 - share);
      data[at + 1] = g * share + /** @type {number} */ (data[at + 1]) * (1 - share);
      data[at + 2] = b * share + /** @type {number} */ (data[at + 2]) * (1 - share);
      data[at + 3] = sum;
    }
  }
}
