/** Pointers on the stage: what they paint, and how they move the view (wheel, middle button, space, two fingers). */

import { begin } from "./brush.js";
import { store } from "./store.js";
import { pinched, toPicture } from "./view.js";
import { currentView, pan, setView, zoom } from "./viewport.js";

/**
 * @typedef {import("./brush.js").Gesture} Gesture
 * @typedef {import("./brush.js").Keys} Keys
 * @typedef {import("./brush.js").Point} Point
 * @typedef {import("./view.js").Place} Place
 */

const LINE = 30; // CSS pixels that a wheel's "line" stands for
const MIDDLE = 4; // of PointerEvent.buttons

export class Pointers {
  #canvas;
  /** @type {Gesture | null} */
  #gesture = null;
  #painter = -1; // the pointer that the gesture belongs to
  /** @type {Place | null} where a pan was last */
  #panned = null;
  /** @type {Map<number, Place>} fingers on the stage */
  #fingers = new Map();
  #space = false;

  /** @param {HTMLElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => this.#key(event, true));
    document.addEventListener("keyup", (event) => this.#key(event, false));
    window.addEventListener("blur", () => this.#hold(false));
  }

  /** Whether something is being painted. */
  get busy() {
    return this.#gesture !== null;
  }

  /** What is being painted never was. */
  cancel() {
    this.#gesture?.cancel();
    this.#gesture = null;
  }

  /** @param {MouseEvent} event @returns {Place} on the stage */
  placeOf(event) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /** @param {PointerEvent} event @returns {Point} */
  #pointOf(event) {
    const place = this.placeOf(event);
    const pressure = event.pointerType === "pen" ? event.pressure : 1;
    return { ...toPicture(currentView(), place.x, place.y), pressure };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (store.state.picture === null) return;
    this.#canvas.focus({ preventScroll: true });
    this.#canvas.setPointerCapture(event.pointerId);
    const place = this.placeOf(event);
    if (event.pointerType === "touch") {
      this.#fingers.set(event.pointerId, place);
      if (this.#fingers.size > 1) {
        this.cancel(); // the first finger's stroke was the beginning of this
        this.#panned = null;
        return;
      }
    }
    if (this.#space || event.buttons & MIDDLE || store.state.tool.name === "pan") {
      event.preventDefault();
      this.#panned = place;
    } else if (event.button === 0 && this.#gesture === null) {
      this.#painter = event.pointerId;
      this.#gesture = begin(this.#pointOf(event), keysOf(event));
    }
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const place = this.placeOf(event);
    if (this.#fingers.size > 1 && this.#fingers.has(event.pointerId)) {
      this.#pinch(event.pointerId, place);
    } else if (this.#panned !== null) {
      pan(place.x - this.#panned.x, place.y - this.#panned.y);
      this.#panned = place;
    } else if (this.#gesture !== null && event.pointerId === this.#painter) {
      const all = event.getCoalescedEvents?.() ?? [];
      this.#gesture.move((all.length > 0 ? all : [event]).map((one) => this.#pointOf(one)), keysOf(event));
    }
  }

  /** @param {number} id @param {Place} place */
  #pinch(id, place) {
    const [first, second] = [...this.#fingers.keys()];
    const before = this.#fingers.get(id);
    if (first === undefined || second === undefined || before === undefined) return;
    const other = this.#fingers.get(id === first ? second : first);
    if (other !== undefined && (id === first || id === second)) {
      setView(pinched(currentView(), [before, other], [place, other]));
    }
    this.#fingers.set(id, place);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    this.#fingers.delete(event.pointerId);
    this.#panned = null;
    if (event.pointerId !== this.#painter) return;
    this.#painter = -1;
    const gesture = this.#gesture;
    this.#gesture = null;
    if (event.type === "pointercancel") gesture?.cancel();
    else gesture?.end();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    if (store.state.picture === null) return;
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE;
    if (event.shiftKey) {
      pan(-(event.deltaX || event.deltaY) * unit, 0);
      return;
    }
    // a pinch on a touchpad comes as a wheel with Ctrl, in small steps
    const place = this.placeOf(event);
    zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.002)), place.x, place.y);
  }

  /** Space, where it is not meant for a control. @param {KeyboardEvent} event @param {boolean} down */
  #key(event, down) {
    if (event.key !== " ") return;
    if (down && event.target !== this.#canvas && event.target !== document.body) return;
    if (down) event.preventDefault();
    this.#hold(down);
  }

  /** @param {boolean} held */
  #hold(held) {
    this.#space = held;
    this.#canvas.classList.toggle("pans", held);
  }
}

/** @param {MouseEvent} event @returns {Keys} */
function keysOf(event) {
  return { alt: event.altKey, shift: event.shiftKey };
}
