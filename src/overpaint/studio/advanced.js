/** All other parameters, as the server lists them: one that is new there is here at once. */

import { Control } from "./control.js";
import { define, fill, h } from "./dom.js";
import { store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Parameter} Parameter */
/** @typedef {import("./store.js").State} State */

const own = words.advanced;

/** These have places of their own on the page. */
const ELSEWHERE = "prompt negative_prompt preset strength keep keep_measure detail seed variation".split(" ");

/** @type {[string, string[]][]} */
const GROUPS = [
  [own.model, ["sampler", "schedule", "steps", "guidance_scale", "repeat"]],
  [own.size, ["size", "output_size", "fit", "extend"]],
  [own.map, ["region", "padding", "fill", "blend", "match"]],
];

/** @param {Parameter[]} parameters @returns {[string, Parameter[]][]} */
function grouped(parameters) {
  const left = new Map(parameters.filter(({ name }) => !ELSEWHERE.includes(name)).map((one) => [one.name, one]));
  /** @type {[string, Parameter[]][]} */
  const groups = GROUPS.map(([title, names]) => {
    const found = names.flatMap((name) => left.get(name) ?? []);
    for (const name of names) left.delete(name);
    return [title, found];
  });
  groups.push([own.other, [...left.values()]]);
  return groups.filter(([, found]) => found.length > 0);
}

class Advanced extends HTMLElement {
  /** @type {Map<string, Control>} */
  #controls = new Map();
  #count = h("span", { class: "hint count" });
  #groups = h("div", { class: "stack" });

  connectedCallback() {
    fill(
      this,
      h(
        "details",
        { class: "fold" },
        h("summary", {}, own.title, this.#count),
        h("p", { class: "hint" }, own.hint),
        this.#groups,
      ),
    );
    store.on(["server"], ({ server }) => this.#build(Object.values(server?.parameters ?? {})));
    store.on(["server", "params"], (state) => this.#show(state));
  }

  /** @param {Parameter[]} parameters */
  #build(parameters) {
    this.#controls.clear();
    const sets = grouped(parameters).map(([title, found]) => {
      const controls = found.map((parameter) => new Control(parameter));
      for (const [i, { name }] of found.entries()) this.#controls.set(name, /** @type {Control} */ (controls[i]));
      return h("fieldset", { class: "group" }, h("legend", {}, title), ...controls.map((control) => control.element));
    });
    fill(this.#groups, ...sets);
  }

  /** @param {State} state */
  #show(state) {
    for (const control of this.#controls.values()) control.show(state);
    const set = [...this.#controls.keys()].filter((name) => state.params[name] !== undefined).length;
    this.#count.textContent = set === 0 ? "" : own.set(set);
  }
}

define("ov-advanced", Advanced);
