/**
 * What went wrong, or is worth knowing, in words, where a person looks: at the top of the page, read out by screen
 * readers; and, where an error is about a parameter, at its control (the one with `data-param`).
 */

import { ApiError } from "./api.js";
import { define, fill, h } from "./dom.js";
import { words } from "./words.js";

const MARKED = "invalid";

class Notice extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "status");
    this.setAttribute("aria-live", "polite");
    this.hidden = true;
  }

  /** @param {string} text @param {boolean} isError */
  say(text, isError) {
    this.classList.toggle("error", isError);
    const close = h("button", { type: "button", class: "quiet", "aria-label": words.close, onclick: () => this.end() }, "×");
    fill(this, h("p", {}, text), close);
    this.hidden = false;
  }

  end() {
    this.hidden = true;
    for (const marked of document.querySelectorAll(`[${MARKED}]`)) marked.removeAttribute(MARKED);
  }
}

define("ov-notice", Notice);

/** @returns {Notice} */
function board() {
  return /** @type {Notice} */ (document.querySelector("ov-notice"));
}

/**
 * Say something; an error about a parameter also marks its control, and brings it into view.
 * @param {unknown} what  an error, or a text
 */
export function tell(what) {
  if (typeof what === "string") {
    board().say(what, false);
    return;
  }
  if (what instanceof DOMException && what.name === "AbortError") return;
  if (!(what instanceof ApiError)) console.error(what);
  board().end();
  board().say(what instanceof ApiError ? what.message : words.errors.unexpected, true);
  const param = what instanceof ApiError ? what.param : null;
  const control = param === null ? null : document.querySelector(`[data-param="${CSS.escape(param)}"]`);
  if (control !== null) {
    control.setAttribute(MARKED, "");
    control.closest("details")?.setAttribute("open", "");
    control.scrollIntoView({ block: "nearest" });
  }
}

/** Nothing is wrong any more. */
export function untell() {
  board().end();
}

/**
 * A listener whose errors are told.
 * @template {unknown[]} A
 * @param {(...args: A) => unknown} call
 * @returns {(...args: A) => Promise<void>}
 */
export function telling(call) {
  return async (...args) => {
    try {
      await call(...args);
    } catch (error) {
      tell(error);
    }
  };
}
