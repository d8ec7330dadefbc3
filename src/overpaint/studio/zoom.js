/**
 * A frame over the stage: it lies where its pixels lie in the picture that is open, and moves with the stage's own view.
 * One that has nothing to do with that picture has a view of its own. Zoomed by wheel and pinch, moved by drag; twice
 * clicked it is whole again.
 */

import { fit, limited, moved, pinched, scaledAt } from "./view.js";
import { currentView, fitView, onView, setView } from "./viewport.js";

/**
 * @typedef {import("./view.js").Place} Place
 * @typedef {import("./view.js").Rect} Rect
 * @typedef {import("./view.js").View} View
 */

export class Zoom {
  #area;
  #frame;
  /** What the frame covers: of the open picture, or of itself. @type {Rect} */
  #rect = { x: 0, y: 0, w: 1, h: 1 };
  #shared = false;
  /** @type {View | null} null: all of it is seen */
  #own = null;
  /** @type {Map<number, Place>} */
  #fingers = new Map();
  /** Whether one finger moves the frame, and nothing else. */
  drags = true;

  /**
   * @param {HTMLElement} area  over the whole stage
   * @param {HTMLElement} frame
   */
  constructor(area, frame) {
    this.#area = area;
    this.#frame = frame;
    new ResizeObserver(() => this.#show()).observe(area);
    onView(() => this.#show());
    area.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    area.addEventListener("dblclick", () => this.#whole());
    area.addEventListener("pointerdown", (event) => this.#fingers.set(event.pointerId, this.#place(event)));
    area.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel", "pointerleave"])) {
      area.addEventListener(end, (event) => this.#fingers.delete(event.pointerId));
    }
  }

  /**
   * @param {Rect} rect
   * @param {boolean} shared  it is of the open picture
   */
  cover(rect, shared) {
    const other = rect.w !== this.#rect.w || rect.h !== this.#rect.h || shared !== this.#shared;
    this.#rect = rect;
    this.#shared = shared;
    if (other) this.#own = null;
    this.#show();
  }

  get #room() {
    return { w: this.#area.clientWidth, h: this.#area.clientHeight };
  }

  get #view() {
    return this.#shared ? currentView() : (this.#own ?? fit(this.#room, this.#rect));
  }

  /** @param {View} view */
  #set(view) {
    if (this.#shared) setView(view); // which shows it here too
    else {
      this.#own = limited(view, this.#room, this.#rect);
      this.#show();
    }
  }

  #whole() {
    this.#own = null;
    if (this.#shared) fitView();
    else this.#show();
  }

  #show() {
    if (this.#area.clientWidth === 0) return;
    const { scale, x, y } = this.#view;
    const { style } = this.#frame;
    style.left = `${x + this.#rect.x * scale}px`;
    style.top = `${y + this.#rect.y * scale}px`;
    style.width = `${this.#rect.w * scale}px`;
    style.height = `${this.#rect.h * scale}px`;
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Place} */
  #place({ clientX, clientY }) {
    const { left, top } = this.#area.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const { x, y } = this.#place(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const view = this.#view;
    this.#set(scaledAt(view, view.scale * Math.exp(-event.deltaY * lines * 0.002), x, y));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (before === undefined) return;
    const now = this.#place(event);
    this.#fingers.set(event.pointerId, now);
    const [other] = [...this.#fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (other !== undefined) this.#set(pinched(this.#view, [before, other], [now, other]));
    else if (this.drags || event.buttons === 4) this.#set(moved(this.#view, now.x - before.x, now.y - before.y));
  }
}
