/** Where picture and result lie in each other: sizes and places, as pure functions. */

/**
 * @typedef {import("./view.js").Rect} Rect
 * @typedef {{width: number, height: number}} Size
 * @typedef {import("./store.js").Job} Job
 */

const CELL = 8; // pixels of a preview's pixel

/** The margins of `extend`. @param {Job} job @returns {[number, number, number, number]} left, top, right, bottom */
export function marginsOf({ params }) {
  const told = String(params.extend ?? "").split(",").map(Number);
  const [left = 0, top = 0, right = 0, bottom = 0] = told.every(Number.isFinite) ? told : [];
  return [left, top, right, bottom];
}

/**
 * The size that the result has, or will have.
 * @param {Job} job
 * @param {Size | null} before
 * @param {Size | null} after  the result, or a preview of it
 * @param {boolean} done
 * @returns {Size | null}
 */
export function frameOf(job, before, after, done) {
  if (done) return after;
  const [, width, height] = /^(\d+)x(\d+)$/.exec(String(job.params.output_size ?? "")) ?? [];
  if (width !== undefined && height !== undefined) return { width: Number(width), height: Number(height) };
  if (before === null) return after && { width: after.width * CELL, height: after.height * CELL };
  const [left, top, right, bottom] = marginsOf(job);
  return { width: before.width + left + right, height: before.height + top + bottom };
}

/**
 * Where the picture lies in the result, in the result's pixels: what is extended has it inside; of another shape it was
 * brought to the result's as `fit` says.
 * @param {Job} job
 * @param {Size} before
 * @param {Size} frame
 * @returns {Rect}
 */
export function placeOf(job, before, frame) {
  const [left, top, right, bottom] = marginsOf(job);
  const whole = { width: before.width + left + right, height: before.height + top + bottom };
  const [across, down] = scalesOf(job, whole, frame);
  const [x, y] = [(frame.width - whole.width * across) / 2, (frame.height - whole.height * down) / 2];
  return { x: x + left * across, y: y + top * down, w: before.width * across, h: before.height * down };
}

/** @param {Job} job @param {Size} whole @param {Size} frame @returns {[number, number]} */
function scalesOf({ params }, whole, frame) {
  const across = frame.width / whole.width;
  const down = frame.height / whole.height;
  if (params.fit === "stretch" || Math.abs(across / down - 1) < 0.01) return [across, down];
  const both = params.fit === "pad" ? Math.min(across, down) : Math.max(across, down);
  return [both, both];
}

/**
 * Whether a preview is of all of the picture; with a map the model may work on a part around what is marked.
 * @param {Job} job
 * @param {Size} preview
 * @param {Size} frame
 */
export function isWhole({ snapshot, params }, preview, frame) {
  const ratio = (preview.width * frame.height) / (preview.height * frame.width);
  const marked = Boolean(snapshot?.base || snapshot?.strokes) && params.region !== "whole";
  return !marked && Math.abs(ratio - 1) < 0.12; // the model works at multiples of 32 pixels
}
