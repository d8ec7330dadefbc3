/** A picture at half its size, a quarter, and so on: drawn small from its full size, thin things would flicker. */

export class Reduced {
  #bitmap;
  /** @type {OffscreenCanvas[]} */
  #halves = [];

  /** @param {ImageBitmap} bitmap */
  constructor(bitmap) {
    this.#bitmap = bitmap;
  }

  /**
   * The smallest that is at least as large as `scale` wants it.
   * @param {number} scale
   * @returns {ImageBitmap | OffscreenCanvas}
   */
  at(scale) {
    /** @type {ImageBitmap | OffscreenCanvas} */
    let found = this.#bitmap;
    for (let level = 0; scale <= 0.5 ** (level + 1) && Math.min(found.width, found.height) > 1; level += 1) {
      this.#halves[level] ??= halved(found);
      found = this.#halves[level] ?? found;
    }
    return found;
  }
}

/** @param {ImageBitmap | OffscreenCanvas} image */
function halved(image) {
  const half = new OffscreenCanvas(Math.ceil(image.width / 2), Math.ceil(image.height / 2));
  half.getContext("2d")?.drawImage(image, 0, 0, half.width, half.height);
  return half;
}
