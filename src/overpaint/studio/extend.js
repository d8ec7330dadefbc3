/** Handles on the picture's edges: by how much it is to grow on each side, in its own pixels. */

import { h } from "./dom.js";
import { setParams, store } from "./store.js";
import { toStage } from "./view.js";
import { canvasRect, currentArea, currentView, extension } from "./viewport.js";
import { words } from "./words.js";

const LONGEST = 16384; // pixels of a side, as the server has it
const STEP = 8;
const LARGE_STEP = 64;
const OUTSIDE = 14; // CSS pixels between the edge and its handle

/** In the order of the parameter. `way`: where its arrow points; `on`: the axis it moves on. */
const SIDES = /** @type {const} */ ([
  { name: "left", on: "x", way: -1, more: "ArrowLeft", less: "ArrowRight" },
  { name: "top", on: "y", way: -1, more: "ArrowUp", less: "ArrowDown" },
  { name: "right", on: "x", way: 1, more: "ArrowRight", less: "ArrowLeft" },
  { name: "bottom", on: "y", way: 1, more: "ArrowDown", less: "ArrowUp" },
]);

/**
 * Let the picture grow on one side by so many pixels; nothing on all sides leaves the parameter out.
 * @param {number} index  of the side: left, top, right, bottom
 * @param {number} pixels
 */
export function extendSide(index, pixels) {
  const { picture } = store.state;
  if (picture === null) return;
  const all = extension();
  const own = index % 2 === 0 ? picture.width : picture.height;
  const opposite = all[(index + 2) % 4] ?? 0;
  all[index] = Math.max(0, Math.min(Math.round(pixels), LONGEST - own - opposite));
  setParams({ extend: all.some((side) => side > 0) ? all.join(",") : null });
}

export class ExtendHandles {
  /** @type {HTMLElement[]} */
  elements = SIDES.map((_, index) => this.#handle(index));

  /** @param {number} index */
  #handle(index) {
    const side = SIDES[index] ?? SIDES[0];
    const handle = h("div", {
      class: `extend-handle ${side.on}`,
      role: "slider",
      tabindex: 0,
      title: words.canvas.extend[side.name],
      "aria-label": words.canvas.extend[side.name],
      "aria-orientation": side.on === "x" ? "horizontal" : "vertical",
      "aria-valuemin": 0,
      "aria-valuemax": LONGEST,
    });
    handle.addEventListener("keydown", (event) => this.#key(event, index));
    handle.addEventListener("pointerdown", (event) => this.#drag(event, index, handle));
    return handle;
  }

  /** @param {KeyboardEvent} event @param {number} index */
  #key(event, index) {
    const side = SIDES[index] ?? SIDES[0];
    const step = event.shiftKey ? LARGE_STEP : STEP;
    const now = extension()[index] ?? 0;
    if (event.key === side.more) extendSide(index, now + step);
    else if (event.key === side.less) extendSide(index, now - step);
    else if (event.key === "Home" || event.key === "Delete") extendSide(index, 0);
    else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} down @param {number} index @param {HTMLElement} handle */
  #drag(down, index, handle) {
    if (down.button !== 0) return;
    down.preventDefault();
    handle.focus();
    handle.setPointerCapture(down.pointerId);
    const side = SIDES[index] ?? SIDES[0];
    const start = extension()[index] ?? 0;
    const { scale } = currentView();
    const move = (/** @type {PointerEvent} */ event) => {
      const by = side.on === "x" ? event.clientX - down.clientX : event.clientY - down.clientY;
      extendSide(index, start + (side.way * by) / scale);
    };
    const end = () => {
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("lostpointercapture", end);
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", end);
  }

  /**
   * Put each handle in the middle of what is seen of its edge; one whose edge is off the stage is not there.
   * @param {boolean} shown
   */
  place(shown) {
    const [view, area, rect] = [currentView(), currentArea(), canvasRect()];
    const from = toStage(view, rect.x, rect.y);
    const to = toStage(view, rect.x + rect.w, rect.y + rect.h);
    const all = extension();
    SIDES.forEach((side, index) => {
      const element = this.elements[index];
      if (element === undefined) return;
      const across = (side.way < 0 ? from : to)[side.on] + side.way * OUTSIDE;
      const along = side.on === "x" ? middle(from.y, to.y, area.h) : middle(from.x, to.x, area.w);
      const [x, y] = side.on === "x" ? [across, along] : [along, across];
      const off = x < 0 || y < 0 || x > area.w || y > area.h;
      // one that is being dragged stays, wherever it is dragged to
      element.hidden = !shown || (off && element !== document.activeElement);
      element.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
      const pixels = all[index] ?? 0;
      element.setAttribute("aria-valuenow", String(pixels));
      element.setAttribute("aria-valuetext", words.canvas.pixels(pixels));
      element.classList.toggle("grown", pixels > 0);
    });
  }
}

/** @param {number} from @param {number} to @param {number} room */
function middle(from, to, room) {
  return (Math.min(Math.max(from, 0), room) + Math.min(Math.max(to, 0), room)) / 2;
}
