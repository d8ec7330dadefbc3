/** Where to change, and regions with prompts of their own: which there are, and which of them is painted on. */

import { define, fill, h, icon } from "./dom.js";
import { hueOf } from "./hues.js";
import { BaseLine, LayerLine } from "./layer-line.js";
import { MOST, add } from "./layer-steps.js";
import { store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./store.js").State} State */

const own = words.layers;

class Layers extends HTMLElement {
  #base = new BaseLine();
  /** @type {Map<string, LayerLine>} */
  #lines = new Map();
  #order = "";
  #list = h("div", { class: "layers", role: "group", "aria-label": own.which, "data-param": "layers" });
  #add = h(
    "button",
    { type: "button", class: "button small", "aria-label": own.addName, onclick: () => this.#addOne() },
    icon("plus"),
    own.add,
  );
  #hint = h("p", { class: "hint" }, own.hint);

  connectedCallback() {
    fill(
      this,
      h(
        "section",
        { class: "stack", "aria-labelledby": "ov-layers-title" },
        h("div", { class: "row spread" }, h("h2", { id: "ov-layers-title" }, own.title), this.#add),
        this.#list,
        this.#hint,
      ),
    );
    store.on(["marks", "picture", "overlay", "server"], (state) => this.#show(state));
  }

  #addOne() {
    add();
    const { layers } = store.state.marks;
    this.#lines.get(layers.at(-1)?.id ?? "")?.element.querySelector("textarea")?.focus();
  }

  /** @param {State} state */
  #show(state) {
    const { marks, picture } = state;
    const order = marks.layers.map(({ id }) => id).join(" ");
    if (order !== this.#order || this.#list.childElementCount === 0) this.#build(marks.layers);
    this.#order = order;
    this.#base.show(marks.active === "base", hueOf(-1));
    this.#base.showBase(state);
    for (const [index, { id }] of marks.layers.entries()) {
      this.#lines.get(id)?.show(marks.active === id, hueOf(index));
      this.#lines.get(id)?.showLayer();
    }
    const isFull = marks.layers.length >= MOST;
    this.#add.disabled = picture === null || isFull;
    this.#add.title = isFull ? own.full(MOST) : "";
    this.#hint.hidden = marks.layers.length > 0;
  }

  /** Lines are numbered by their place, and made anew where it changes. @param {Layer[]} layers */
  #build(layers) {
    this.#lines = new Map(layers.map((layer, index) => [layer.id, new LayerLine(layer, index)]));
    const hadFocus = this.#list.contains(document.activeElement);
    fill(this.#list, this.#base.element, ...[...this.#lines.values()].map((line) => line.element));
    if (hadFocus) this.#add.focus(); // what had it is gone, and the keyboard needs a place
  }
}

define("ov-layers", Layers);
