/** What the edit is for: the server's presets as chips, of which one is chosen or none. */

import { define, fill, h } from "./dom.js";
import { setParams, store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Preset} Preset */
/** @typedef {import("./store.js").State} State */

const own = words.presets;

/** What a preset has a say in: set by hand before, it would hide what the preset is. */
const ITS_OWN = { strength: null, detail: null, fill: null, match: null };

/** @param {string | null} name */
function choose(name) {
  setParams(name === null ? { preset: null } : { ...ITS_OWN, preset: name });
}

class Presets extends HTMLElement {
  #group = h("div", {
    class: "chips",
    role: "radiogroup",
    "aria-labelledby": "ov-presets-title",
    "data-param": "preset",
  });
  #use = h("p", { id: "ov-presets-use" });
  #example = h("span", { class: "example" });
  #take = h("button", { type: "button", class: "button small", onclick: () => this.#takeExample() }, own.take);
  #row = h("div", { class: "example-row" }, this.#example, this.#take);

  connectedCallback() {
    this.#group.addEventListener("keydown", (event) => this.#step(event));
    fill(
      this,
      h(
        "section",
        { class: "stack", "aria-labelledby": "ov-presets-title" },
        h("h2", { id: "ov-presets-title" }, own.title),
        this.#group,
        h("div", { class: "preset-words hint" }, this.#use, this.#row),
      ),
    );
    store.on(["server"], (state) => this.#build(state));
    store.on(["server", "params"], (state) => this.#show(state));
  }

  /** @param {State} state */
  #build({ server }) {
    fill(this.#group, ...(server?.presets ?? []).map((preset) => this.#chip(preset)));
  }

  /** @param {Preset} preset */
  #chip({ name, use }) {
    const chip = h("button", { type: "button", class: "chip", role: "radio", title: use }, own.names[name] ?? name);
    chip.setAttribute("aria-describedby", "ov-presets-use");
    chip.dataset.name = name;
    chip.addEventListener("click", () => choose(store.state.params.preset === name ? null : name));
    return chip;
  }

  get #chips() {
    return /** @type {HTMLElement[]} */ ([...this.#group.children]);
  }

  /** @param {State} state */
  #show({ server, params }) {
    const chosen = server?.presets.find((preset) => preset.name === params.preset);
    for (const [i, chip] of this.#chips.entries()) {
      const isChosen = chip.dataset.name === params.preset;
      chip.setAttribute("aria-checked", String(isChosen));
      // one stop of the Tab key for the group, as radio buttons have it
      chip.tabIndex = isChosen || (chosen === undefined && i === 0) ? 0 : -1;
    }
    this.#use.textContent = chosen === undefined ? own.none : own.use(chosen.use);
    this.#example.textContent = chosen === undefined ? "" : own.example(chosen.example);
    this.#row.hidden = chosen === undefined;
    this.#take.disabled = String(params.prompt ?? "").trim() !== "";
    this.#take.title = this.#take.disabled ? own.takeNot : own.takeTitle;
  }

  #takeExample() {
    const { server, params } = store.state;
    const chosen = server?.presets.find((preset) => preset.name === params.preset);
    if (chosen !== undefined) setParams({ prompt: chosen.example });
  }

  /** Arrows go to the next chip and choose it. @param {KeyboardEvent} event */
  #step(event) {
    const chips = this.#chips;
    const at = chips.indexOf(/** @type {HTMLElement} */ (event.target));
    const [next, last] = [at + 1, at - 1];
    const to = { ArrowRight: next, ArrowDown: next, ArrowLeft: last, ArrowUp: last, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const chip = chips.at(to % chips.length);
    choose(chip?.dataset.name ?? null);
    chip?.focus();
  }
}

define("ov-presets", Presets);
