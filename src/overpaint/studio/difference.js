/** Where two pictures differ: the absolute difference of each channel, made larger so that little is seen too. */

const NEW = 70; // the grey of what the picture was extended by
const LONGEST = 2048; // pixels of a side; more is not seen

/**
 * Draw it into a canvas, which gets the size of the second picture, or what of it is drawn.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} before
 * @param {ImageBitmap} after
 * @param {{x: number, y: number, w: number, h: number}} place  of `before` in `after`, in its pixels
 * @param {number} gain  how much larger it is made
 */
export function drawDifference(canvas, before, after, place, gain) {
  const scale = Math.min(1, LONGEST / Math.max(after.width, after.height));
  const width = Math.max(1, Math.round(after.width * scale));
  const height = Math.max(1, Math.round(after.height * scale));
  const a = pixelsOf(before, width, height, scaled(place, scale));
  const b = pixelsOf(after, width, height, { x: 0, y: 0, w: width, h: height });
  canvas.width = width;
  canvas.height = height;
  amplify(a.data, b.data, gain);
  canvas.getContext("2d")?.putImageData(b, 0, 0);
}

/** @param {{x: number, y: number, w: number, h: number}} rect @param {number} by */
function scaled({ x, y, w, h }, by) {
  return { x: x * by, y: y * by, w: w * by, h: h * by };
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} width
 * @param {number} height
 * @param {{x: number, y: number, w: number, h: number}} place
 * @returns {ImageData}
 */
function pixelsOf(bitmap, width, height, { x, y, w, h }) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, x, y, w, h);
  return context.getImageData(0, 0, width, height);
}

/**
 * `b` becomes |a - b| * gain, opaque; grey where `a` is not.
 * @param {Uint8ClampedArray} a
 * @param {Uint8ClampedArray} b
 * @param {number} gain
 */
function amplify(a, b, gain) {
  for (let i = 0; i < b.length; i += 1) {
    if (i % 4 === 3) b[i] = 255;
    else b[i] = a[i | 3] === 0 ? NEW : Math.abs((a[i] ?? 0) - (b[i] ?? 0)) * gain;
  }
}
