/** Colour painted on the picture: what is sent is the picture with the strokes laid over it. */

import { ChangeMap, united, wholeOf } from "./map.js";

/** @typedef {import("./view.js").Rect} Rect */

/** @param {number} width @param {number} height @returns {[OffscreenCanvas, OffscreenCanvasRenderingContext2D]} */
function canvasOf(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("there is no 2D canvas");
  return [canvas, context];
}

export class Strokes {
  #context;

  /** @param {number} width @param {number} height  the picture's */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    const [canvas, context] = canvasOf(width, height);
    this.canvas = canvas;
    this.#context = context;
  }

  isEmpty() {
    return this.toMap().isEmpty();
  }

  /** Where there is paint, however thin: 255. @returns {ChangeMap} */
  toMap() {
    const map = new ChangeMap(this.width, this.height);
    const { data } = this.pixels(wholeOf(this));
    for (let i = 0; i < map.data.length; i += 1) map.data[i] = data[4 * i + 3] === 0 ? 0 : 255;
    return map;
  }

  /** @param {Rect} rect @returns {ImageData} a copy */
  pixels({ x, y, w, h }) {
    return this.#context.getImageData(x, y, w, h);
  }

  /** @param {ImageData} pixels @param {Rect} rect */
  put(pixels, { x, y }) {
    this.#context.putImageData(pixels, x, y);
  }

  /** @returns {Promise<Blob>} with alpha */
  toPng() {
    return this.canvas.convertToBlob({ type: "image/png" });
  }

  /** The picture with the strokes laid over it. @param {ImageBitmap} bitmap @returns {Promise<Blob>} */
  over(bitmap) {
    const [canvas, context] = canvasOf(this.width, this.height);
    context.drawImage(bitmap, 0, 0);
    context.drawImage(this.canvas, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }

  /** @returns {Strokes} */
  clone() {
    const copy = new Strokes(this.width, this.height);
    copy.#context.drawImage(this.canvas, 0, 0);
    return copy;
  }

  /** @param {Blob} blob  of `toPng` @returns {Promise<Strokes>} */
  static async fromPng(blob) {
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    const strokes = new Strokes(bitmap.width, bitmap.height);
    strokes.#context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return strokes;
  }
}

/** "#rrggbb" as three bytes. @param {string} colour @returns {[number, number, number]} */
export function bytesOf(colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** One stroke while it is painted: over what was there before it, as far as the brush has covered so far. */
export class Ink {
  #before;
  /** @type {Rect | null} */
  rect = null;

  /**
   * @param {Strokes} strokes
   * @param {string} colour
   * @param {boolean} away  take paint away instead
   */
  constructor(strokes, colour, away) {
    this.strokes = strokes;
    this.cover = new ChangeMap(strokes.width, strokes.height);
    this.#before = strokes.clone();
    this.colour = bytesOf(colour);
    this.away = away;
  }

  /** The brush has covered more of `cover`, in this rectangle. @param {Rect} rect */
  changed(rect) {
    this.rect = united(this.rect, rect);
    const pixels = this.#before.pixels(rect);
    const { data } = pixels;
    for (let y = 0; y < rect.h; y += 1) {
      for (let x = 0; x < rect.w; x += 1) {
        const covered = this.cover.data[(rect.y + y) * this.cover.width + rect.x + x] ?? 0;
        if (covered === 0) continue;
        if (this.away) thin(data, 4 * (y * rect.w + x), covered / 255);
        else lay(data, 4 * (y * rect.w + x), this.colour, covered / 255);
      }
    }
    this.strokes.put(pixels, rect);
  }

  /** The pixels of before and after. @param {Rect} rect @returns {[ImageData, ImageData]} */
  bothOf(rect) {
    return [this.#before.pixels(rect), this.strokes.pixels(rect)];
  }

  /** It never was. */
  undo() {
    const { rect } = this;
    if (rect) this.strokes.put(this.#before.pixels(rect), rect);
  }
}

/**
 * Lay a colour over a pixel.
 * @param {Uint8ClampedArray} data
 * @param {number} at
 * @param {number[]} colour
 * @param {number} alpha
 */
function lay(data, at, colour, alpha) {
  const old = ((data[at + 3] ?? 0) / 255) * (1 - alpha);
  const sum = alpha + old;
  for (let i = 0; i < 3; i += 1) {
    data[at + i] = Math.round(((colour[i] ?? 0) * alpha + (data[at + i] ?? 0) * old) / sum);
  }
  data[at + 3] = Math.round(255 * sum);
}

/** Take paint away from a pixel. @param {Uint8ClampedArray} data @param {number} at @param {number} share */
function thin(data, at, share) {
  data[at + 3] = Math.round((data[at + 3] ?? 0) * (1 - share));
}
