/** The divider between before and after: dragged, or moved by keys. */

import { h } from "./dom.js";
import { words } from "./words.js";

const STEP = 0.02;
const LARGE_STEP = 0.1;

export class Divider {
  share = 0.5;
  #call;

  /** @param {(share: number) => void} call */
  constructor(call) {
    this.#call = call;
    this.element = h("div", {
      class: "divider",
      role: "slider",
      tabindex: "0",
      "aria-label": words.compare.divider,
      "aria-orientation": "horizontal",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.#show();
  }

  /**
   * Follow a pointer until it is let go.
   * @param {PointerEvent} event
   * @param {HTMLElement} frame  whose width is all of it
   */
  drag(event, frame) {
    event.preventDefault();
    this.element.focus({ preventScroll: true });
    const ends = new AbortController();
    const { signal } = ends;
    const follow = (/** @type {PointerEvent} */ { clientX, pointerId }) => {
      if (pointerId !== event.pointerId) return;
      const { left, width } = frame.getBoundingClientRect();
      this.#set((clientX - left) / width);
    };
    const stop = (/** @type {PointerEvent} */ { pointerId }) => {
      if (pointerId === event.pointerId) ends.abort();
    };
    follow(event);
    window.addEventListener("pointermove", follow, { signal });
    window.addEventListener("pointerup", stop, { signal });
    window.addEventListener("pointercancel", stop, { signal });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? LARGE_STEP : STEP;
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: this.share - step,
      ArrowDown: this.share - step,
      ArrowRight: this.share + step,
      ArrowUp: this.share + step,
      PageDown: this.share - LARGE_STEP,
      PageUp: this.share + LARGE_STEP,
      Home: 0,
      End: 1,
    };
    const place = places[event.key];
    if (place === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(place);
  }

  /** @param {number} share */
  #set(share) {
    this.share = Math.min(1, Math.max(0, share));
    this.#show();
    this.#call(this.share);
  }

  #show() {
    const percent = Math.round(100 * this.share);
    this.element.style.left = `${100 * this.share}%`;
    this.element.setAttribute("aria-valuenow", String(percent));
    this.element.setAttribute("aria-valuetext", words.compare.dividerAt(percent));
  }
}
