/** The tools, what the present one can be told, and what can be done to the map as a whole. */

import { clearStrokes, erasesColour } from "./brush.js";
import { define, fill, h, icon } from "./dom.js";
import { shortcut } from "./keys.js";
import { feather } from "./map-feather.js";
import { fillAll, grow, invert } from "./map-shapes.js";
import { activeMap, changeMap, clearMap, strengthByte } from "./marks.js";
import { store } from "./store.js";
import { next, onUndo, redo, undo } from "./undo.js";
import { fitView } from "./viewport.js";
import { words } from "./words.js";

/**
 * @typedef {import("./store.js").ToolName} ToolName
 * @typedef {import("./store.js").Tool} Tool
 * @typedef {import("./dom.js").IconName} IconName
 */

/** @type {[ToolName, string][]} with the key of each */
const TOOLS = [
  ["pan", "H"],
  ["brush", "B"],
  ["eraser", "E"],
  ["box", "R"],
  ["gradient", "G"],
  ["fill", "F"],
  ["select", "S"],
  ["colour", "C"],
];
const ROUND = ["brush", "eraser", "colour"];
const LARGEST = 1000; // pixels, of a brush
const FARTHEST = 256; // pixels that a map grows at once
const told = words.canvas.tools;

/** @param {Partial<Tool>} changes */
function setTool(changes) {
  store.set({ tool: { ...store.state.tool, ...changes } });
}

/** Sizes lie on the slider so that each step is about the same share. @param {number} at  0 to 1 */
function sizeAt(at) {
  return Math.max(1, Math.round(LARGEST ** at));
}

/** @param {number} factor */
function resize(factor) {
  const { size } = store.state.tool;
  const step = Math.max(1, Math.round(size * Math.abs(factor - 1)));
  setTool({ size: Math.min(Math.max(factor > 1 ? size + step : size - step, 1), LARGEST) });
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(100 * share)} %`;
}

class Tools extends HTMLElement {
  /** @type {Map<ToolName, HTMLButtonElement>} */
  #buttons = new Map();
  #hint = h("p", { class: "hint tool-hint" });

  connectedCallback() {
    this.setAttribute("role", "toolbar");
    this.setAttribute("aria-label", told.label);
    this.append(this.#chooser(), this.#options(), this.#actions(), this.#changers(), this.#hint);
    this.addEventListener("keydown", (event) => this.#arrows(event));
    shortcut("[", told.smaller, () => resize(0.85));
    shortcut("]", told.larger, () => resize(1.15));
  }

  #chooser() {
    for (const [name, key] of TOOLS) {
      const choose = () => setTool({ name });
      const button = act(name, told.names[name], choose, key);
      button.title = `${told.names[name]} (${key})`;
      this.#buttons.set(name, button);
      shortcut(key, told.names[name], choose);
    }
    store.on(["tool", "strokes"], ({ tool }) => {
      for (const [name, button] of this.#buttons) button.setAttribute("aria-pressed", String(name === tool.name));
      const hint = tool.name === "eraser" && erasesColour() ? told.hints.eraserColour : told.hints[tool.name];
      fill(this.#hint, h("strong", {}, told.names[tool.name]), " ", hint);
    });
    return h("div", { class: "tool-grid", role: "group", "aria-label": told.label }, ...this.#buttons.values());
  }

  #options() {
    const size = slider(told.size, (at) => setTool({ size: sizeAt(at) }), 0.001);
    const hardness = slider(told.hardness, (at) => setTool({ hardness: at }));
    const strength = slider(told.strength, (at) => setTool({ strength: at }));
    const colour = h("input", { type: "color", "aria-label": told.colour });
    colour.addEventListener("input", () => setTool({ colour: colour.value }));
    const colourRow = h("label", { class: "tool-colour" }, told.colour, colour);
    const box = h("div", { class: "tool-options" }, colourRow, size.row, hardness.row, strength.row);
    store.on(["tool"], ({ tool }) => {
      if (sizeAt(Number(size.input.value)) !== tool.size) size.input.value = String(Math.log(tool.size) / Math.log(LARGEST));
      size.say(words.canvas.pixelsShort(tool.size));
      hardness.show(tool.hardness);
      strength.show(tool.strength);
      colour.value = tool.colour;
      size.row.hidden = hardness.row.hidden = !ROUND.includes(tool.name);
      colourRow.hidden = tool.name !== "colour";
      box.hidden = tool.name === "pan";
    });
    return box;
  }

  #actions() {
    const did = words.canvas.did;
    const back = act("undo", words.canvas.undo, undo, "Control+Z");
    const forth = act("redo", words.canvas.redo, redo, "Control+Shift+Z");
    const fit = act("fit", words.canvas.view.fit, fitView, "0");
    const all = act("plus", told.fillAll, () => changeMap(did.fillAll, (map) => fillAll(map, strengthByte())));
    const inverse = act("invert", told.invert, () => changeMap(did.invert, invert));
    const clear = act("clear", told.clear, () => (store.state.tool.name === "colour" ? clearStrokes() : clearMap(did.clear)));
    onUndo(() => {
      const steps = next();
      say(back, words.canvas.undo, steps.undo);
      say(forth, words.canvas.redo, steps.redo);
    });
    store.on(["picture", "marks", "strokes", "tool"], ({ picture, strokes, tool }) => {
      const isColour = tool.name === "colour";
      all.disabled = fit.disabled = picture === null;
      inverse.disabled = activeMap() === null;
      clear.disabled = (isColour ? strokes : activeMap()) === null;
      clear.title = isColour ? told.clearColour : told.clear;
      clear.setAttribute("aria-label", clear.title);
    });
    const { eye, colour, opacity } = overlayControls();
    const grid = h("div", { class: "tool-grid" }, back, forth, fit, clear, all, inverse, eye, colour);
    return h("div", { class: "tool-actions" }, grid, opacity);
  }

  /** What changes the map by so many pixels. */
  #changers() {
    const props = { type: "number", min: 1, max: FARTHEST, value: 8, "aria-label": told.amount, title: told.amount };
    const amount = h("input", props);
    const by = () => Math.min(Math.max(Math.round(amount.valueAsNumber) || 1, 1), FARTHEST);
    const did = words.canvas.did;
    const buttons = [
      wordButton(told.grow, () => changeMap(did.grow, (map) => grow(map, by()))),
      wordButton(told.shrink, () => changeMap(did.shrink, (map) => grow(map, -by()))),
      wordButton(told.feather, () => changeMap(did.feather, (map) => feather(map, by()))),
    ];
    store.on(["picture", "marks"], () => {
      for (const button of buttons) button.disabled = activeMap() === null;
    });
    const label = h("label", {}, told.by, amount, told.pixels);
    return h("div", { class: "tool-actions tool-amount" }, h("div", { class: "tool-words" }, ...buttons), label);
  }

  /** Arrows go from button to button. @param {KeyboardEvent} event */
  #arrows(event) {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (way === undefined || !(event.target instanceof HTMLButtonElement)) return;
    const buttons = [...this.querySelectorAll("button")].filter((one) => !one.disabled && one.checkVisibility());
    const at = buttons.indexOf(event.target);
    buttons[(at + way + buttons.length) % buttons.length]?.focus();
    event.preventDefault();
  }
}

/** Whether, in which colour and how strongly maps are shown. */
function overlayControls() {
  const toggle = () => setOverlay({ shown: !store.state.overlay.shown });
  const eye = act("eye", told.overlay, toggle, "M");
  const colour = h("input", { type: "color", "aria-label": told.overlayColour, title: told.overlayColour });
  colour.addEventListener("input", () => setOverlay({ colour: colour.value }));
  const opacity = slider(told.opacity, (at) => setOverlay({ opacity: at }));
  shortcut("M", told.overlay, toggle);
  store.on(["overlay"], ({ overlay }) => {
    eye.setAttribute("aria-pressed", String(overlay.shown));
    colour.value = overlay.colour;
    opacity.show(overlay.opacity);
  });
  return { eye, colour, opacity: opacity.row };
}

/** @param {Partial<import("./store.js").State["overlay"]>} changes */
function setOverlay(changes) {
  store.set({ overlay: { ...store.state.overlay, ...changes } });
}

/** @param {IconName} name @param {string} label @param {() => unknown} call @param {string} [keys] */
function act(name, label, call, keys) {
  const props = { type: "button", class: "tool", title: label, "aria-label": label, "aria-keyshortcuts": keys, onclick: call };
  return h("button", props, icon(name));
}

/** @param {string} text @param {() => unknown} call */
function wordButton(text, call) {
  return h("button", { type: "button", class: "tool", onclick: call }, text);
}

/** @param {HTMLButtonElement} button @param {string} what @param {string | null} step */
function say(button, what, step) {
  button.disabled = step === null;
  button.title = step === null ? what : `${what}: ${step}`;
}

/**
 * A slider from 0 to 1 with its figure.
 * @param {string} label
 * @param {(at: number) => void} set
 * @param {number} [step]
 */
function slider(label, set, step = 0.01) {
  const input = h("input", { type: "range", min: 0, max: 1, step });
  // an output would be what the label is for; the figure is read out as the slider's value
  const figure = h("span", { class: "figures", "aria-hidden": "true" });
  input.addEventListener("input", () => set(Number(input.value)));
  const row = h("label", { class: "tool-slider" }, h("span", { class: "row spread" }, label, figure), input);
  const say = (/** @type {string} */ text) => {
    figure.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  const show = (/** @type {number} */ at) => {
    if (Number(input.value) !== at) input.value = String(at);
    say(percent(at));
  };
  return { row, input, say, show };
}

define("ov-tools", Tools);
