/** A slider with its label and its figure above it, and, where there is one, the range that works at its track. */

import { h } from "./dom.js";

/**
 * @typedef {object} DialOptions
 * @property {string} param  the API's name for it
 * @property {string} label
 * @property {(value: number) => unknown} onMove
 * @property {string} [describedBy]  ids of what explains it
 * @property {HTMLElement[]} [beside]  buttons at the right of the figure
 * @property {boolean} [isBare]  label and figure are shown elsewhere
 */

export class Dial {
  /** @param {DialOptions} options */
  constructor({ param, label, onMove, describedBy, beside = [], isBare = false }) {
    const id = `ov-dial-${param}`;
    this.input = h("input", { type: "range", id, min: "0", max: "1", step: "0.01", "aria-describedby": describedBy });
    this.input.addEventListener("input", () => onMove(this.input.valueAsNumber));
    // the figure is read out as the slider's value, so that it is for the eye alone
    this.figure = h("span", { class: "dial-figure figures", "aria-hidden": "true" });
    this.label = h("label", { htmlFor: id, class: isBare ? "out-of-sight" : "" }, label);
    this.works = h("span", { class: "dial-works", hidden: true });
    this.element = h(
      "div",
      { class: "dial", "data-param": param },
      isBare ? this.label : h("div", { class: "dial-head" }, this.label, this.figure, ...beside),
      h("div", { class: "dial-track" }, this.works, this.input),
    );
  }

  /**
   * @param {number} value
   * @param {object} [how]
   * @param {string} [how.words]  what the value means, for those who do not see the page
   * @param {boolean} [how.isOwn]  whether somebody chose it
   * @param {boolean} [how.isOff]  whether it means nothing just now
   */
  show(value, { words = "", isOwn = true, isOff = false } = {}) {
    const figure = value.toFixed(2);
    if (this.input.valueAsNumber !== value) this.input.value = String(value);
    this.input.style.setProperty("--at", String(value));
    this.input.disabled = isOff;
    this.input.setAttribute("aria-valuetext", words === "" ? figure : `${figure}, ${words}`);
    this.figure.textContent = figure;
    this.figure.classList.toggle("is-own", isOwn);
  }

  /** @param {readonly [number, number] | null} range  at which it works */
  showRange(range) {
    this.works.hidden = range === null;
    if (range === null) return;
    this.works.style.setProperty("--low", String(range[0]));
    this.works.style.setProperty("--high", String(range[1]));
  }
}
