/**
 * Picture and result, one over the other, at the same place and scale: the result alone, both with a divider between
 * them, their difference, or what a running edit looks like now.
 */

import { drawDifference } from "./difference.js";
import { Divider } from "./divider.js";
import { h } from "./dom.js";
import { frameOf, isWhole, placeOf } from "./framing.js";
import { resultBlob } from "./looking.js";
import { bitmapOf, idNow, viewBitmap } from "./pictures.js";
import { store } from "./store.js";
import { Zoom } from "./zoom.js";
import { words } from "./words.js";

/**
 * @typedef {import("./store.js").Job} Job
 * @typedef {import("./looking.js").What} What
 * @typedef {import("./framing.js").Size} Size
 */

export class Sheet {
  #before = h("canvas", { class: "sheet-before", role: "img", "aria-label": words.compare.before });
  #after = h("img", { class: "sheet-after", alt: "", draggable: false });
  #preview = h("img", { class: "sheet-preview", alt: "", draggable: false });
  #difference = h("canvas", { class: "sheet-difference", role: "img", "aria-label": words.compare.difference });
  #divider = new Divider((share) => this.#divide(share));
  #frame = h("div", { class: "sheet-frame" }, this.#before, this.#after, this.#preview, this.#difference, this.#divider.element);
  element = h("div", { class: "sheet-area" }, this.#frame);
  #zoom = new Zoom(this.element, this.#frame);

  /** The result that is loaded, and what it is compared with. */
  /** @type {{id: string, after: ImageBitmap, before: ImageBitmap | null} | null} */
  #loaded = null;
  /** What the canvases show, so that nothing is drawn twice. */
  #drawnBefore = /** @type {ImageBitmap | null} */ (null);
  #drawnDifference = "";
  #asked = 0;

  constructor() {
    // before a divider's own: a drag anywhere moves it
    this.element.addEventListener("pointerdown", (event) => {
      if (!this.#divider.element.hidden && event.button === 0) this.#divider.drag(event, this.#frame);
    });
  }

  /**
   * @param {Job} job
   * @param {What} what
   * @param {number} gain  of the difference
   */
  async show(job, what, gain) {
    this.#asked += 1;
    const mine = this.#asked;
    const done = job.state === "done" && Boolean(job.image);
    const before = job.snapshot?.picture ? await viewBitmap(job.snapshot.picture).catch(() => null) : null;
    const after = job.image ? await this.#load(job, before) : null;
    const preview = !done && job.preview ? await sizeOf(this.#preview, job.preview) : null;
    if (mine !== this.#asked) return;
    const frame = frameOf(job, before, after ?? preview, done);
    this.#frame.hidden = frame === null;
    if (frame === null) return;
    this.#cover(job, before, frame);
    this.#showParts(job, done ? what : "result", { frame, before, preview, gain });
  }

  /**
   * Where the result lies in the picture that is open; one of another picture lies by itself.
   * @param {Job} job
   * @param {ImageBitmap | null} before
   * @param {Size} frame
   */
  #cover(job, before, frame) {
    const shared = before !== null && idNow(job.snapshot?.picture?.id) === store.state.picture?.id;
    if (!shared || before === null) {
      this.#zoom.cover({ x: 0, y: 0, w: frame.width, h: frame.height }, false);
      return;
    }
    const { x, y, w, h: high } = placeOf(job, before, frame);
    const [across, down] = [before.width / w, before.height / high];
    this.#zoom.cover({ x: -x * across, y: -y * down, w: frame.width * across, h: frame.height * down }, true);
  }

  /**
   * @param {Job} job
   * @param {What} what
   * @param {{frame: Size, before: ImageBitmap | null, preview: Size | null, gain: number}} with_
   */
  #showParts(job, what, { frame, before, preview, gain }) {
    const done = job.image && job.state === "done";
    this.#before.hidden = before === null || (done && what !== "compare") || false;
    this.#after.hidden = !done || what === "difference";
    this.#preview.hidden = preview === null;
    this.#difference.hidden = !done || what !== "difference";
    this.#divider.element.hidden = !done || what !== "compare";
    if (done && this.#after.src !== job.image) this.#after.src = String(job.image);
    this.#after.alt = words.compare.result(String(job.params.prompt ?? ""));
    if (preview !== null) this.#preview.classList.toggle("part", !isWhole(job, preview, frame));
    if (before !== null) this.#drawBefore(job, before, frame);
    if (!this.#difference.hidden) this.#drawDifference(job, frame, gain);
    this.#zoom.drags = this.#divider.element.hidden;
    this.#divide(what === "compare" ? this.#divider.share : 0);
  }

  /** @param {Job} job @param {ImageBitmap} before @param {Size} frame */
  #drawBefore(job, before, frame) {
    const { x, y, w, h: high } = placeOf(job, before, frame);
    const { style } = this.#before;
    style.left = `${(100 * x) / frame.width}%`;
    style.top = `${(100 * y) / frame.height}%`;
    style.width = `${(100 * w) / frame.width}%`;
    style.height = `${(100 * high) / frame.height}%`;
    if (this.#drawnBefore === before) return;
    this.#drawnBefore = before;
    this.#before.width = before.width;
    this.#before.height = before.height;
    this.#before.getContext("2d")?.drawImage(before, 0, 0);
  }

  /** @param {Job} job @param {Size} frame @param {number} gain */
  #drawDifference(job, frame, gain) {
    const loaded = this.#loaded;
    const drawn = `${job.id} ${gain}`;
    if (loaded?.before == null || this.#drawnDifference === drawn) return;
    this.#drawnDifference = drawn;
    drawDifference(this.#difference, loaded.before, loaded.after, placeOf(job, loaded.before, frame), gain);
  }

  /** @param {Job} job @param {ImageBitmap | null} before */
  async #load(job, before) {
    if (this.#loaded?.id !== job.id) {
      const after = await bitmapOf(await resultBlob(job));
      this.#loaded?.after.close();
      this.#loaded = { id: job.id, after, before };
    }
    this.#loaded.before = before;
    return this.#loaded.after;
  }

  /** The result is seen from a share of the width on. @param {number} share */
  #divide(share) {
    this.#after.style.clipPath = share === 0 ? "none" : `inset(0 0 0 ${100 * share}%)`;
  }
}

/** @param {HTMLImageElement} image @param {string} source @returns {Promise<Size | null>} */
async function sizeOf(image, source) {
  if (image.src !== source) image.src = source;
  await image.decode().catch(() => {}); // a newer one came in between
  return image.naturalWidth === 0 ? null : { width: image.naturalWidth, height: image.naturalHeight };
}
