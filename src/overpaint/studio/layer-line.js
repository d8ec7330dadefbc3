/** The lines of the list of layers: the base map's, and that of a region with a prompt of its own. */

import { problemOf } from "./check.js";
import { h, icon } from "./dom.js";
import { clearBase, done, paintOn, remove } from "./layer-steps.js";
import { store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./store.js").State} State */

const own = words.layers;
const CALM = 250; // milliseconds without a stroke after which it is worth looking whether anything is painted

/**
 * What is written at a layer counts at once; that it was is remembered when the field is left.
 * @template T
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {() => T} get
 * @param {(value: T) => void} set
 * @param {(text: string) => T} read
 */
function write(field, get, set, read) {
  let before = get();
  field.addEventListener("focus", () => (before = get()));
  field.addEventListener("input", () => {
    set(read(field.value.trim()));
    store.touch("marks");
  });
  field.addEventListener("change", () => {
    const [old, now] = [before, get()];
    before = now;
    if (!Object.is(old, now)) done(own.changed, 0, () => set(now), () => set(old));
  });
}

/** One line of the list: what it is called, its colour, and whether it is painted on. */
class Line {
  #swatch = h("span", { class: "swatch" });
  #radio;
  /** @param {string} id @param {string} label */
  constructor(id, label) {
    this.#radio = h("input", { type: "radio", name: "ov-active-layer", value: id, "aria-label": own.paintOn(label) });
    this.#radio.addEventListener("change", () => paintOn(id));
    const name = h("label", { class: "layer-name" }, this.#radio, this.#swatch, h("span", {}, label));
    this.head = h("div", { class: "layer-head" }, name);
    this.element = h("div", { class: "layer" }, this.head);
  }

  /** @param {boolean} isActive @param {string} colour */
  show(isActive, colour) {
    this.#radio.checked = isActive;
    this.#swatch.style.background = colour;
    this.element.classList.toggle("is-active", isActive);
  }
}

/** Where to change at all: the base map. */
export class BaseLine extends Line {
  #clear = h(
    "button",
    { type: "button", class: "button small", "aria-label": own.clearName, onclick: clearBase },
    own.clear,
  );
  #says = h("p", { class: "hint" });
  #timer = 0;

  constructor() {
    super("base", own.base);
    this.head.append(this.#clear);
    this.element.append(this.#says);
    this.element.dataset.param = "map";
  }

  /** @param {State} state */
  showBase({ marks, picture }) {
    this.#clear.disabled = marks.base === null;
    clearTimeout(this.#timer);
    // a map has millions of pixels: not while a stroke goes on
    this.#timer = window.setTimeout(() => {
      const { base } = marks;
      const text = base === null ? own.everywhere : base.isEmpty() ? own.nothing : own.marked;
      this.#says.textContent = picture === null ? own.noPicture : text;
    }, CALM);
  }
}

/** @param {string} text @returns {number | null} NaN: it is no number, so that nothing else is sent in its place */
function strengthOf(text) {
  return text === "" ? null : Number(text);
}

/** @param {string} label @param {Layer} layer */
function removal(label, layer) {
  const props = { type: "button", class: "quiet small", title: label, "aria-label": label };
  return h("button", { ...props, onclick: () => remove(layer) }, icon("clear"));
}

/** A region: its prompt, and a strength of its own where it has one. */
export class LayerLine extends Line {
  #prompt;
  #strength;
  #wrong;
  #layer;

  /** @param {Layer} layer @param {number} index */
  constructor(layer, index) {
    const label = own.region(index + 1);
    super(layer.id, label);
    this.#layer = layer;
    this.#prompt = h("textarea", { rows: 2, "aria-label": own.promptOf(label), placeholder: own.promptHint });
    const id = `ov-layer-${layer.id}`;
    this.#wrong = h("p", { id: `${id}-wrong`, class: "hint error", role: "alert" });
    this.#strength = h("input", {
      type: "text",
      id,
      inputMode: "decimal",
      autocomplete: "off",
      class: "figures",
      placeholder: own.asEdit,
      "aria-label": own.strengthOf(label),
      "aria-describedby": this.#wrong.id,
    });
    this.head.append(removal(own.remove(label), layer));
    const strength = h("div", { class: "layer-strength" }, h("label", { htmlFor: id }, own.strength), this.#strength);
    this.element.append(this.#prompt, strength, this.#wrong);
    write(this.#prompt, () => layer.prompt, (prompt) => (layer.prompt = prompt), (text) => text);
    write(this.#strength, () => layer.strength, (told) => (layer.strength = told), strengthOf);
  }

  showLayer() {
    const { prompt, strength } = this.#layer;
    if (this.#prompt.value.trim() !== prompt) this.#prompt.value = prompt;
    const parameter = store.state.server?.parameters.strength;
    const wrong = parameter === undefined || strength === null ? null : problemOf(parameter, String(strength));
    this.#wrong.textContent = wrong ?? "";
    this.#strength.setAttribute("aria-invalid", String(wrong !== null));
    if (!Object.is(strengthOf(this.#strength.value.trim()), strength)) this.#strength.value = String(strength ?? "");
  }
}
