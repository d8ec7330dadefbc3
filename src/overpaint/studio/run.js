/** The buttons that ask for edits: one, four variations, or a sweep of strengths; and the seed. */

import "./seed.js";
import { wrongIn } from "./check.js";
import { define, h, icon } from "./dom.js";
import { shortcut } from "./keys.js";
import { tell, untell } from "./notice.js";
import { ask } from "./send.js";
import { store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./kept.js").How} How */

const VARIATIONS = 4;
const STRENGTHS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9];

/**
 * Ask for an edit of what the page shows; for several with a count or strengths.
 * @param {{count?: number, strengths?: number[]}} [several]
 */
export async function run({ count, strengths } = {}) {
  const reason = hindrance() ?? (strengths === undefined ? null : noSweep()) ?? wrongIn(store.state);
  if (reason !== null) {
    tell(reason);
    return;
  }
  /** @type {How} */
  const how = strengths ? { kind: "sweep", strengths } : count ? { kind: "variations", count } : { kind: "edit" };
  untell();
  try {
    await ask(how);
  } catch (error) {
    tell(error);
  }
}

/** Why nothing can be asked for now, in words. @returns {string | null} */
function hindrance() {
  const { server, picture, params } = store.state;
  if (server === null) return words.run.notReady;
  if (picture === null && String(params.prompt ?? "").trim() === "") return words.run.nothing;
  return null;
}

/** @returns {string | null} */
function noSweep() {
  return store.state.picture === null ? words.run.noSweep : null;
}

class Run extends HTMLElement {
  #name = h("span");
  #reason = h("p", { class: "hint", id: "run-reason", role: "status" });
  #edit = button("run-edit primary", () => run(), icon("play"), this.#name);
  #several = button("", () => run({ count: VARIATIONS }), words.run.variations(VARIATIONS));
  #sweep = button("", () => run({ strengths: STRENGTHS }), words.run.sweep);

  connectedCallback() {
    this.#sweep.title = words.run.sweepHint(STRENGTHS.map(String).join(" · "));
    this.#several.title = words.run.variationsHint;
    this.#edit.title = words.run.shortcut;
    this.classList.add("stack");
    const several = h("div", { class: "row run-several" }, this.#several, this.#sweep);
    this.append(this.#edit, several, document.createElement("ov-seed"), this.#reason);
    store.on(["server", "picture", "params"], () => this.#show());
    shortcut("Ctrl+Enter", words.run.edit, (event) => (event.repeat ? undefined : run()));
  }

  #show() {
    const reason = hindrance();
    this.#name.textContent = store.state.picture === null ? words.run.make : words.run.edit;
    this.#reason.textContent = reason ?? "";
    this.#reason.hidden = reason === null;
    for (const one of [this.#edit, this.#several]) setDisabled(one, reason);
    setDisabled(this.#sweep, reason ?? noSweep());
  }
}

/**
 * A button; the second click of a double click counts for nothing.
 * @param {string} kind
 * @param {() => unknown} call
 * @param {...(Node | string)} children
 */
function button(kind, call, ...children) {
  const onclick = (/** @type {MouseEvent} */ event) => (event.detail > 1 ? undefined : call());
  return h("button", { type: "button", class: `button ${kind}`, onclick }, ...children);
}

/** @param {HTMLButtonElement} one @param {string | null} reason */
function setDisabled(one, reason) {
  one.disabled = reason !== null;
  if (reason === null) one.removeAttribute("aria-describedby");
  else one.setAttribute("aria-describedby", "run-reason");
}

define("ov-run", Run);
