/** The seed of an edit's noise: a new one each time, one of one's own, or the last result's; and variations of it. */

import { Dial } from "./dial.js";
import { problemOf, valueOf } from "./check.js";
import { define, fill, h, icon } from "./dom.js";
import { drawSeed } from "./seeds.js";
import { setParams, store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").State} State */

const own = words.seed;
const SLIGHT = 0.2; // the amount of a variation that is begun by its dice: something close by

/** @param {State} state @returns {number | null} of the newest result */
function lastSeed({ jobs }) {
  return jobs.find((job) => job.state === "done")?.seed ?? null;
}

/** @param {unknown} variation  as "SEED,AMOUNT" */
function partsOf(variation) {
  const [seed = "0", amount = "0"] = String(variation ?? "0,0").split(",");
  return { seed: Number(seed), amount: Number(amount) };
}

/** @param {string} label @param {import("./dom.js").IconName} drawing @param {() => unknown} onclick */
function iconButton(label, drawing, onclick) {
  const props = { type: "button", class: "quiet small", title: label, "aria-label": label, onclick };
  return h("button", props, icon(drawing));
}

class SeedPanel extends HTMLElement {
  #field = h("input", {
    id: "ov-seed",
    type: "text",
    inputMode: "numeric",
    autocomplete: "off",
    class: "figures",
    placeholder: own.placeholder,
    "aria-describedby": "ov-seed-wrong",
  });
  #wrong = h("p", { id: "ov-seed-wrong", class: "hint error", role: "alert" });
  #lock = iconButton(own.lock, "lock", () => this.#toggleLock());
  #dial = new Dial({
    param: "variation",
    label: own.variation,
    describedBy: "ov-variation-hint",
    onMove: (amount) => this.#vary(amount),
    beside: [iconButton(own.variationDice, "dice", () => this.#drawVariation())],
  });
  #hint = h("p", { id: "ov-variation-hint", class: "hint figures" });
  /** The seed that is held by the lock. @type {number | null} */
  #held = null;
  /** That the variation goes towards; kept while its amount is 0. */
  #towards = drawSeed();
  #off = () => {};

  connectedCallback() {
    this.#field.oninput = () => this.#write();
    const dice = iconButton(own.dice, "dice", () => setParams({ seed: drawSeed() }));
    fill(
      this,
      h(
        "div",
        { class: "stack" },
        h(
          "div",
          { class: "seed-row", "data-param": "seed" },
          h("label", { htmlFor: "ov-seed" }, own.label),
          this.#field,
          dice,
          this.#lock,
        ),
        this.#wrong,
        this.#dial.element,
        this.#hint,
      ),
    );
    this.#off = store.on(["params", "jobs", "server"], (state) => this.#show(state));
  }

  disconnectedCallback() {
    this.#off();
  }

  /** What is typed is what is set, even where it is wrong: so nothing else is sent in its place. */
  #write() {
    const text = this.#field.value.trim();
    const parameter = store.state.server?.parameters.seed;
    setParams({ seed: parameter === undefined ? null : valueOf(parameter, text) });
  }

  #toggleLock() {
    const last = lastSeed(store.state);
    const seed = this.#held === null ? last : null;
    this.#held = seed;
    setParams({ seed });
  }

  /** @param {number} amount */
  #vary(amount) {
    setParams({ variation: amount === 0 ? null : `${this.#towards},${amount}` });
  }

  #drawVariation() {
    this.#towards = drawSeed();
    this.#vary(partsOf(store.state.params.variation).amount || SLIGHT);
  }

  /** @param {State} state */
  #show(state) {
    const { params, server } = state;
    const text = params.seed === undefined ? "" : String(params.seed);
    if (this.#field.value.trim() !== text) this.#field.value = text;
    const parameter = server?.parameters.seed;
    const wrong = parameter === undefined ? null : problemOf(parameter, text);
    this.#wrong.textContent = wrong ?? "";
    this.#field.setAttribute("aria-invalid", String(wrong !== null));
    if (params.seed !== this.#held) this.#held = null; // another was chosen
    this.#lock.disabled = this.#held === null && lastSeed(state) === null;
    this.#lock.setAttribute("aria-pressed", String(this.#held !== null));
    this.#showVariation(params.variation, params.seed !== undefined);
  }

  /** @param {unknown} variation @param {boolean} hasSeed */
  #showVariation(variation, hasSeed) {
    const { seed, amount } = partsOf(variation);
    const isOn = variation !== undefined && amount > 0;
    if (isOn) this.#towards = seed;
    this.#dial.show(isOn ? amount : 0, { isOwn: isOn, words: isOn ? "" : own.off });
    if (!isOn) this.#hint.textContent = own.variationHint;
    else this.#hint.textContent = hasSeed ? own.towards(seed) : own.needsSeed;
  }
}

define("ov-seed", SeedPanel);
