/** The control of one parameter, made from what the server tells of it: its field, help, default, and what is wrong. */

import { problemOf, valueOf } from "./check.js";
import { fill, h, icon } from "./dom.js";
import { defaultOf, setParams, store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Parameter} Parameter */
/** @typedef {import("./store.js").State} State */

const own = words.advanced;

/** Presets also have a say in these, and the server does not tell what. */
const PRESETS_OWN = ["fill", "match"];

/** What a parameter comes to where it is left alone, in words. @param {string} name */
function standing(name) {
  if (store.state.params.preset !== undefined && PRESETS_OWN.includes(name)) return own.asPreset;
  const value = defaultOf(name);
  return value === null || value === "" ? own.automatic : String(value);
}

export class Control {
  #parameter;
  #field;
  #wrong;
  #help;
  #back;

  /** @param {Parameter} parameter */
  constructor(parameter) {
    const { name, kind, help } = parameter;
    const id = `ov-set-${name}`;
    const label = own.names[name] ?? own.plain(name);
    const described = `${id}-wrong ${id}-help`;
    this.#parameter = parameter;
    this.#field = kind === "choice" ? h("select", { id, "aria-describedby": described }) : this.#input(id, described);
    this.#wrong = h("p", { id: `${id}-wrong`, class: "hint error", role: "alert" });
    this.#help = h("p", { id: `${id}-help`, class: "hint" }, help);
    const back = own.back(label);
    this.#back = h("button", { type: "button", class: "quiet small", title: back, "aria-label": back }, icon("undo"));
    this.element = h(
      "div",
      { class: "control", "data-param": name },
      h("label", { htmlFor: id }, label),
      this.#field,
      this.#back,
      this.#wrong,
      this.#help,
    );
    this.#field.addEventListener("input", () => setParams({ [name]: valueOf(parameter, this.#field.value.trim()) }));
    this.#back.addEventListener("click", () => {
      setParams({ [name]: null });
      this.#field.focus();
    });
  }

  /** @param {string} id @param {string} described */
  #input(id, described) {
    const { kind } = this.#parameter;
    const inputMode = kind === "integer" ? "numeric" : kind === "number" ? "decimal" : "text";
    const usual = { autocomplete: "off", class: "figures" };
    const input = h("input", { type: "text", id, inputMode, ...usual, "aria-describedby": described });
    input.addEventListener("keydown", (event) => this.#step(event));
    return input;
  }

  /** Up and down count, from what it comes to now. @param {KeyboardEvent} event */
  #step(event) {
    const { name, kind, low, high } = this.#parameter;
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (way === undefined || (kind !== "number" && kind !== "integer")) return;
    event.preventDefault();
    const now = Number(store.state.params[name] ?? defaultOf(name) ?? low ?? 0);
    const unit = kind === "integer" ? 1 : high !== null && high <= 1 ? 0.05 : 0.5;
    if (!Number.isFinite(now)) return;
    const next = Math.min(high ?? Infinity, Math.max(low ?? -Infinity, now + way * unit));
    setParams({ [name]: Number(next.toFixed(4)) });
  }

  /** @param {State} state */
  show(state) {
    const { name } = this.#parameter;
    const value = state.params[name];
    const text = value === undefined || value === null ? "" : String(value);
    if (this.#field instanceof HTMLSelectElement) this.#showChoice(this.#field, state, text);
    else {
      this.#field.placeholder = standing(name);
      if (this.#field.value.trim() !== text && Number(this.#field.value) !== value) this.#field.value = text;
    }
    const wrong = problemOf(this.#parameter, text);
    this.#wrong.textContent = wrong ?? "";
    this.#field.setAttribute("aria-invalid", String(wrong !== null));
    this.#back.style.visibility = text === "" ? "hidden" : "visible";
  }

  /** @param {HTMLSelectElement} select @param {State} state @param {string} text */
  #showChoice(select, state, text) {
    const { name, choices, help } = this.#parameter;
    const options = choices.map((value) => h("option", { value }, value));
    const left = standing(name);
    fill(select, h("option", { value: "" }, choices.includes(left) ? own.byDefault(left) : left), ...options);
    select.value = text;
    if (name !== "sampler") return;
    const sampler = state.server?.samplers.find((one) => one.name === (text || defaultOf(name)));
    this.#help.textContent = sampler === undefined ? help : own.sampler(sampler);
  }
}
