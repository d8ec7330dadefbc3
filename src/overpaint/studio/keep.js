/** The other way to say how much may change: how much of the picture is to be kept, and by what that is measured. */

import { Dial } from "./dial.js";
import { fill, h } from "./dom.js";
import { defaultOf, setParams, store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").State} State */

const own = words.keep;
const FIRST = 0.5;

export class Keep {
  #strength = this.#way("strength", words.strength.byStrength);
  #keep = this.#way("keep", own.mode);
  /** Which of the two ways it is. */
  mode = h(
    "div",
    { class: "ways", role: "radiogroup", "aria-label": own.which },
    this.#strength.parentElement,
    this.#keep.parentElement,
  );
  dial = new Dial({
    param: "keep",
    label: own.label,
    describedBy: "ov-keep-hint",
    onMove: (keep) => setParams({ keep, strength: null }),
    isBare: true,
  });
  #measure = h("select", { id: "ov-keep-measure", "aria-describedby": "ov-keep-measure-hint" });
  #hint = h("p", { class: "hint", id: "ov-keep-measure-hint" });
  element = h(
    "div",
    { class: "stack" },
    this.dial.element,
    h("p", { class: "hint", id: "ov-keep-hint" }, own.hint),
    h(
      "div",
      { class: "field", "data-param": "keep_measure" },
      h("label", { htmlFor: "ov-keep-measure" }, own.measure),
      this.#measure,
    ),
    this.#hint,
  );
  /** What the two ways had when they were left. @type {{strength: number | null, keep: number}} */
  #left = { strength: null, keep: FIRST };

  constructor() {
    this.#strength.addEventListener("change", () => {
      this.#left.keep = Number(store.state.params.keep ?? FIRST);
      setParams({ keep: null, keep_measure: null, strength: this.#left.strength });
    });
    this.#keep.addEventListener("change", () => {
      const { strength } = store.state.params;
      this.#left.strength = typeof strength === "number" ? strength : null;
      setParams({ keep: this.#left.keep, strength: null });
    });
    this.#measure.addEventListener("change", () => setParams({ keep_measure: this.#measure.value }));
    store.on(["server"], ({ server }) => {
      const choices = server?.parameters.keep_measure?.choices ?? [];
      fill(this.#measure, ...choices.map((value) => h("option", { value }, own.measures[value] ?? value)));
    });
  }

  /** @param {string} value @param {string} label */
  #way(value, label) {
    const input = h("input", { type: "radio", name: "ov-way", value });
    h("label", { class: "way" }, input, h("span", {}, label));
    return input;
  }

  /** @param {State} state */
  show({ params, picture }) {
    const isOff = picture === null;
    const keeps = params.keep !== undefined;
    const measure = String(params.keep_measure ?? defaultOf("keep_measure") ?? "");
    this.#keep.checked = keeps;
    this.#strength.checked = !keeps;
    this.#keep.disabled = this.#strength.disabled = isOff;
    this.element.hidden = !keeps;
    this.dial.show(Number(params.keep ?? this.#left.keep), { isOff });
    this.#measure.value = measure;
    this.#hint.textContent = own.measureHints[measure] ?? "";
  }
}
