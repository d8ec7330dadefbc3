/** One result of the history: its thumbnail is a button, and beside it stands the one that deletes it. */

import { h } from "./dom.js";
import { strengthOf } from "./fidelity.js";
import { nameOf, promptOf } from "./job-row.js";
import { words } from "./words.js";

/** @typedef {import("./kept.js").Entry} Entry */

export class HistoryItem {
  #url;
  #remove;

  /**
   * @param {Entry} entry
   * @param {{pick: () => unknown, remove: () => unknown}} calls
   */
  constructor(entry, { pick, remove }) {
    this.entry = entry;
    this.#url = entry.thumb && URL.createObjectURL(entry.thumb);
    const name = words.history.item(nameOf(entry.job), entry.job.seed);
    const picture = h("img", { src: this.#url, alt: altOf(entry), draggable: false });
    this.button = h(
      "button",
      { type: "button", class: "history-pick", title: name, onclick: pick },
      picture,
      h("span", { class: "figures" }, captionOf(entry)),
    );
    const { remove: word } = words.history;
    const told = { "aria-label": `${word}: ${name}`, title: word };
    this.#remove = h("button", { type: "button", class: "history-remove", ...told, onclick: remove }, "×");
    this.element = h("div", { class: "history-item" }, this.button, this.#remove);
  }

  /** @param {boolean} looked  the stage shows it */
  mark(looked) {
    if (looked) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
  }

  /** @param {boolean} byTab  whether Tab comes here */
  reach(byTab) {
    this.button.tabIndex = this.#remove.tabIndex = byTab ? 0 : -1;
  }

  /** It is not shown any more. */
  free() {
    if (this.#url !== null) URL.revokeObjectURL(this.#url);
  }
}

/** With the caption behind it, all that `title` says. @param {Entry} entry */
function altOf({ how, job }) {
  return how.kind === "variations" ? nameOf(job) : words.history.item(promptOf(job), job.seed);
}

/** What tells it from those beside it. @param {Entry} entry */
function captionOf({ how, job }) {
  if (how.kind === "variations") {
    const [seed] = String(job.params.variation ?? "").split(",");
    return seed ? words.history.variation(seed) : words.history.seed(job.seed);
  }
  return words.history.strength(strengthOf(job) ?? 1);
}
