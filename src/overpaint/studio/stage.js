/** The stage: the picture, what is painted on it, and what it is to grow by. */

import { Cursor } from "./cursor.js";
import { define, h } from "./dom.js";
import { ExtendHandles } from "./extend.js";
import { shortcut } from "./keys.js";
import { chooseFile } from "./open.js";
import { Overlay } from "./overlay.js";
import { Pen } from "./pen.js";
import { Pointers } from "./pointer.js";
import { Reduced } from "./reduced.js";
import { defaultOf, store } from "./store.js";
import { isSmooth, onDevice } from "./view.js";
import { canvasRect, currentView, extension, fitView, fullSize, onView, redraw, setArea, zoom } from "./viewport.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").OpenPicture} OpenPicture */

const NEARER = 1.25;
const HATCH = 8; // device pixels between the lines of what is new

class Stage extends HTMLElement {
  #canvas = h("canvas", { class: "stage-canvas", role: "img", tabindex: 0, "aria-describedby": "stage-keys" });
  #note = h("p", { class: "stage-note figures", hidden: true });
  #empty = emptyStage();
  #cursor = new Cursor(this.#canvas);
  #pointers = new Pointers(this.#canvas);
  #pen = new Pen(this.#canvas);
  #handles = new ExtendHandles();
  #overlay = new Overlay();
  /** @type {OpenPicture | null} */
  #picture = null;
  /** @type {Reduced | null} */
  #reduced = null;
  #noised = new Image();
  #ratio = 1;
  #waits = false; // for the next frame

  connectedCallback() {
    const keys = h("p", { id: "stage-keys", class: "stage-keys hint" }, words.canvas.keys);
    const { ring, cross } = this.#cursor;
    this.append(this.#canvas, keys, ring, cross, ...this.#handles.elements, this.#note, this.#empty);
    this.#watchSize();
    onView(() => this.#soon());
    store.on(["picture"], () => this.#changePicture());
    store.on(["noised"], ({ noised }) => void this.#loadNoised(noised));
    store.on(["picture", "marks", "strokes", "overlay", "shown", "params", "tool"], () => this.#soon());
    this.#shortcuts();
  }

  #shortcuts() {
    const told = words.canvas.view;
    shortcut("+", told.nearer, () => zoom(NEARER));
    shortcut("=", told.nearer, () => zoom(NEARER));
    shortcut("-", told.farther, () => zoom(1 / NEARER));
    shortcut("0", told.fit, fitView);
    shortcut("Z", told.full, fullSize);
  }

  /** The canvas has as many pixels as the device shows of it, at any ratio. */
  #watchSize() {
    const seen = new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      const { width, height } = entry.contentRect;
      const exact = entry.devicePixelContentBoxSize?.[0];
      this.#canvas.width = Math.max(1, exact?.inlineSize ?? Math.round(width * devicePixelRatio));
      this.#canvas.height = Math.max(1, exact?.blockSize ?? Math.round(height * devicePixelRatio));
      this.#ratio = this.#canvas.width / Math.max(width, 1);
      setArea({ w: Math.max(width, 1), h: Math.max(height, 1) });
      this.#draw(); // at once: a canvas that is resized is empty
    });
    try {
      seen.observe(this.#canvas, { box: "device-pixel-content-box" });
    } catch {
      seen.observe(this.#canvas);
    }
  }

  #changePicture() {
    const { picture } = store.state;
    this.#empty.hidden = picture !== null;
    if (picture === this.#picture) return;
    this.#pointers.cancel();
    this.#picture = picture;
    this.#reduced = picture === null ? null : new Reduced(picture.bitmap);
    fitView();
  }

  /** What was shown before stays until the new one can be drawn. @param {string | null} url */
  async #loadNoised(url) {
    if (url === null) return;
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
    } catch {
      return; // it was replaced, and revoked, meanwhile
    }
    if (store.state.noised !== url) return;
    this.#noised = image;
    redraw();
  }

  #soon() {
    if (this.#waits) return;
    this.#waits = true;
    requestAnimationFrame(() => {
      this.#waits = false;
      this.#draw();
    });
  }

  #draw() {
    const { picture, shown } = store.state;
    const context = this.#canvas.getContext("2d");
    if (context === null) return;
    const own = shown.what === "picture" || shown.what === "noised";
    this.#handles.place(picture !== null && own);
    this.#cursor.show(this.#pen.place, this.#pen.down);
    this.#tell(picture);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (picture === null) return;
    const view = currentView();
    const { scale, x, y } = onDevice(view, this.#ratio);
    context.save();
    this.#drawNew(context, scale, x, y);
    context.imageSmoothingEnabled = isSmooth(view);
    if (shown.what === "noised" && this.#noised.complete && this.#noised.naturalWidth > 0) {
      context.drawImage(this.#noised, x, y, picture.width * scale, picture.height * scale);
    } else {
      this.#drawPicture(context, picture, scale, x, y);
    }
    context.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {OpenPicture} picture
   * @param {number} scale  device pixels
   * @param {number} x
   * @param {number} y
   */
  #drawPicture(context, picture, scale, x, y) {
    const { strokes, marks, overlay } = store.state;
    const { width, height } = picture;
    // only what is seen of it: at 64 times its size the whole would be too much
    const left = Math.max(0, Math.floor(-x / scale) - 1);
    const top = Math.max(0, Math.floor(-y / scale) - 1);
    const w = Math.min(width, Math.ceil((this.#canvas.width - x) / scale) + 1) - left;
    const h = Math.min(height, Math.ceil((this.#canvas.height - y) / scale) + 1) - top;
    if (w <= 0 || h <= 0) return;
    const draw = (/** @type {ImageBitmap | OffscreenCanvas} */ image) => {
      const [sx, sy] = [image.width / width, image.height / height];
      context.drawImage(image, left * sx, top * sy, w * sx, h * sy, x + left * scale, y + top * scale, w * scale, h * scale);
    };
    context.fillStyle = "#fff"; // what is transparent lies over white, as the model sees it
    context.fillRect(x + left * scale, y + top * scale, w * scale, h * scale);
    draw(this.#reduced?.at(scale) ?? picture.bitmap);
    if (strokes !== null) draw(strokes.canvas);
    const maps = overlay.shown ? this.#overlay.update(marks, overlay.colour) : null;
    if (maps === null) return;
    context.globalAlpha = overlay.opacity;
    draw(maps);
    context.globalAlpha = 1;
  }

  /**
   * What is new, hatched.
   * @param {CanvasRenderingContext2D} context
   * @param {number} scale  device pixels
   * @param {number} x
   * @param {number} y
   */
  #drawNew(context, scale, x, y) {
    if (!extension().some((side) => side > 0)) return;
    const rect = canvasRect();
    const style = getComputedStyle(this.#note);
    context.save();
    context.beginPath();
    context.rect(x + rect.x * scale, y + rect.y * scale, rect.w * scale, rect.h * scale);
    context.clip();
    context.fillStyle = style.backgroundColor;
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.strokeStyle = style.borderColor;
    context.lineWidth = this.#ratio;
    context.beginPath();
    const { width, height } = this.#canvas;
    for (let at = -height; at < width; at += HATCH * this.#ratio) {
      context.moveTo(at, height);
      context.lineTo(at + height, 0);
    }
    context.stroke();
    context.restore();
  }

  /** What is shown, for eyes in the corner and for screen readers. @param {OpenPicture | null} picture */
  #tell(picture) {
    const { shown, params, marks } = store.state;
    const label =
      picture === null
        ? words.canvas.label.nothing
        : shown.what === "noised"
          ? words.canvas.label.noised(picture.name, Number(params.strength ?? defaultOf("strength") ?? 0))
          : words.canvas.label.picture(picture.name, picture.width, picture.height, marks.base !== null, marks.layers.length);
    if (this.#canvas.getAttribute("aria-label") !== label) this.#canvas.setAttribute("aria-label", label);
    this.#note.hidden = picture === null;
    if (picture !== null) this.#note.textContent = words.canvas.note(canvasRect().w, canvasRect().h, currentView().scale);
  }
}

/** What there is to do where nothing is open. */
function emptyStage() {
  return h(
    "div",
    { class: "stage-empty" },
    h("p", {}, words.canvas.empty.drop),
    h("button", { type: "button", class: "button primary", onclick: () => chooseFile() }, words.canvas.empty.open),
    h("p", { class: "hint" }, words.canvas.empty.kinds),
  );
}

define("ov-stage", Stage);
