/** Small pictures for lists. */

const SIDE = 192; // pixels of the longer side: 96 on a screen with two pixels for each

/** @param {Blob} picture @returns {Promise<Blob>} */
export async function thumbOf(picture) {
  const whole = await createImageBitmap(picture);
  const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height));
  const width = Math.max(1, Math.round(whole.width * scale));
  const height = Math.max(1, Math.round(whole.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context !== null) {
    context.imageSmoothingQuality = "high";
    context.drawImage(whole, 0, 0, width, height);
  }
  whole.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}
