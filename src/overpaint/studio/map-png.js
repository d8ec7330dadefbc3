/**
 * Change maps as grey PNG files, byte for byte. Written here rather than by a canvas: a canvas makes four bytes of each,
 * and some browsers alter what is read back from one, so that pages cannot recognise a machine by it.
 */

import { ChangeMap } from "./map.js";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** @param {ChangeMap} map @returns {Promise<Blob>} */
export async function toPng(map) {
  const head = new Uint8Array(13);
  const numbers = new DataView(head.buffer);
  numbers.setUint32(0, map.width);
  numbers.setUint32(4, map.height);
  head.set([8, 0], 8); // 8 bits, grey; not interlaced
  const rows = await deflated(rowsOf(map));
  const parts = [SIGNATURE, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", new Uint8Array(0))];
  return new Blob(parts, { type: "image/png" });
}

/**
 * The map in a file: its brightness, which of a grey one is each of its colours.
 * @param {Blob} blob
 * @returns {Promise<ChangeMap>}
 */
export async function fromPng(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  const map = new ChangeMap(width, height);
  const strip = Math.max(1, Math.floor(4_000_000 / width)); // rows at once: a large picture needs no second copy
  const canvas = new OffscreenCanvas(width, Math.min(strip, height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("there is no 2D canvas");
  for (let top = 0; top < height; top += strip) {
    const rows = Math.min(strip, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, rows);
    for (let i = 0; i < width * rows; i += 1) map.data[top * width + i] = data[4 * i] ?? 0;
  }
  bitmap.close();
  return map;
}

/** Each row, and before it a byte that says: as it is. @param {ChangeMap} map */
function rowsOf({ data, width, height }) {
  const out = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y += 1) out.set(data.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return out;
}

/** @param {Uint8Array<ArrayBuffer>} bytes @returns {Promise<Uint8Array<ArrayBuffer>>} */
async function deflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {string} name @param {Uint8Array} body @returns {Uint8Array<ArrayBuffer>} */
function chunk(name, body) {
  const out = new Uint8Array(body.length + 12);
  const numbers = new DataView(out.buffer);
  numbers.setUint32(0, body.length);
  for (let i = 0; i < 4; i += 1) out[4 + i] = name.charCodeAt(i);
  out.set(body, 8);
  numbers.setUint32(body.length + 8, crc(out.subarray(4, body.length + 8)));
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 as PNG has it. @param {Uint8Array} bytes */
function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
