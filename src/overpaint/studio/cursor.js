/** What shows where the brush is: its outline at its size, under the pointer or the keyboard's pen. */

import { h } from "./dom.js";
import { store } from "./store.js";
import { currentView } from "./viewport.js";

/** @typedef {import("./view.js").Place} Place */

const SMALLEST = 5; // CSS pixels: a smaller ring would not be seen, so the pointer is a cross
const ROUND = ["brush", "eraser", "colour"];

export class Cursor {
  ring = h("div", { class: "brush-ring", hidden: true });
  cross = h("div", { class: "pen-cross", hidden: true });
  #canvas;
  /** @type {Place | null} where the pointer is */
  #place = null;
  #pressure = 1;

  /** @param {HTMLElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    const follow = (/** @type {PointerEvent} */ event) => {
      const { left, top } = canvas.getBoundingClientRect();
      this.#place = event.pointerType === "touch" ? null : { x: event.clientX - left, y: event.clientY - top };
      this.#pressure = event.pointerType === "pen" && event.pressure > 0 ? event.pressure : 1;
      this.show(null, false);
    };
    canvas.addEventListener("pointermove", follow);
    canvas.addEventListener("pointerdown", follow);
    canvas.addEventListener("pointerleave", () => {
      this.#place = null;
      this.show(null, false);
    });
  }

  /** @param {Place | null} pen  the keyboard's @param {boolean} down  it paints */
  show(pen, down) {
    const { tool, picture } = store.state;
    const place = pen ?? this.#place;
    const size = tool.size * currentView().scale * (pen === null ? this.#pressure : 1);
    const round = picture !== null && ROUND.includes(tool.name);
    this.ring.hidden = place === null || !round || size < SMALLEST;
    this.cross.hidden = pen === null;
    this.cross.classList.toggle("down", down);
    const own = tool.name === "pan" ? "grab" : this.ring.hidden ? "crosshair" : "none";
    this.#canvas.style.cursor = picture === null ? "" : own;
    if (place === null) return;
    const at = `translate(${place.x}px, ${place.y}px) translate(-50%, -50%)`;
    this.ring.style.transform = at;
    this.cross.style.transform = at;
    this.ring.style.width = this.ring.style.height = `${size}px`;
  }
}
