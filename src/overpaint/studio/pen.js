/**
 * Painting by keyboard. Enter on the stage shows a pen in its middle, which the arrows move; Enter puts it down, and
 * lifts it again; Escape takes it away. What it does between is what the pointer would do.
 */

import { begin } from "./brush.js";
import { store } from "./store.js";
import { toPicture } from "./view.js";
import { currentArea, currentView, pan, redraw } from "./viewport.js";

/**
 * @typedef {import("./brush.js").Gesture} Gesture
 * @typedef {import("./view.js").Place} Place
 */

const STEP = 16; // CSS pixels
/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pen {
  /** @type {Place | null} on the stage */
  place = null;
  /** @type {Gesture | null} */
  #gesture = null;

  /** @param {HTMLElement} canvas */
  constructor(canvas) {
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || store.state.picture === null) return;
      if (this.#pressed(event)) event.preventDefault();
    });
    canvas.addEventListener("blur", () => this.#away());
    canvas.addEventListener("pointerdown", () => this.#away());
  }

  get down() {
    return this.#gesture !== null;
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it was for the pen */
  #pressed(event) {
    const way = WAYS[event.key];
    if (way !== undefined) this.#move(way, event);
    else if (event.key === "Enter") this.#enter(event);
    else if (event.key === "Escape" && this.place !== null) this.#away();
    else return false;
    return true;
  }

  /** @param {[number, number]} way @param {KeyboardEvent} event */
  #move([dx, dy], event) {
    const step = event.shiftKey ? 1 : STEP;
    if (this.place === null) {
      pan(-dx * step * 4, -dy * step * 4);
      return;
    }
    const { w, h } = currentArea();
    const [x, y] = [this.place.x + dx * step, this.place.y + dy * step];
    this.place = { x: Math.min(Math.max(x, 0), w), y: Math.min(Math.max(y, 0), h) };
    this.#gesture?.move([this.#point()], { alt: event.altKey, shift: false });
    redraw();
  }

  /** @param {KeyboardEvent} event */
  #enter(event) {
    const { w, h } = currentArea();
    if (this.place === null) {
      this.place = { x: w / 2, y: h / 2 };
    } else if (this.#gesture === null) {
      this.#gesture = begin(this.#point(), { alt: event.altKey, shift: event.shiftKey });
      const { name } = store.state.tool;
      if (name === "fill" || name === "select") this.#lift(); // these only point
    } else {
      this.#lift();
    }
    redraw();
  }

  #lift() {
    const gesture = this.#gesture;
    this.#gesture = null;
    gesture?.end();
  }

  #away() {
    const gesture = this.#gesture;
    this.#gesture = null;
    gesture?.cancel();
    this.place = null;
    redraw();
  }

  #point() {
    const { x, y } = this.place ?? { x: 0, y: 0 };
    return { ...toPicture(currentView(), x, y), pressure: 1 };
  }
}
