/**
 * How much may change: a strength, and what it leaves of the picture, shown on the stage and in words; or how much of
 * the picture is to be kept, for the server to find the strength; and how much fine structure is given back.
 */

import { Dial } from "./dial.js";
import { define, fill, h, icon } from "./dom.js";
import { Keep } from "./keep.js";
import { NoisedView } from "./noised.js";
import { defaultOf, setParams, store } from "./store.js";
import { bandWords, survivalOf, survivalWords } from "./survives.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./store.js").Preset} Preset */

const own = words.strength;

/** @param {string} name @returns {number} what it comes to */
function valueOf(name) {
  return Number(store.state.params[name] ?? defaultOf(name) ?? 0);
}

/** @param {string} label @param {import("./dom.js").IconName} drawing */
function iconButton(label, drawing) {
  return h("button", { type: "button", class: "quiet small", title: label, "aria-label": label }, icon(drawing));
}

/** @param {State} state @returns {Preset | null} */
function presetOf({ server, params }) {
  return server?.presets.find((preset) => preset.name === params.preset) ?? null;
}

class StrengthPanel extends HTMLElement {
  #noised = new NoisedView((news) => this.#hear(news));
  #reset = iconButton(words.toDefault, "undo");
  #eye = iconButton(own.eye, "eye");
  #strength = new Dial({
    param: "strength",
    label: own.strength,
    describedBy: "ov-strength-band ov-strength-left ov-strength-works",
    onMove: (strength) => this.#move(strength),
    isBare: true,
  });
  #keep = new Keep();
  #back = iconButton(own.detailBack, "undo");
  #detail = new Dial({
    param: "detail",
    label: own.detail,
    describedBy: "ov-detail-hint",
    onMove: (detail) => setParams({ detail }),
    beside: [this.#back],
  });
  #band = h("p", { id: "ov-strength-band" });
  #left = h("p", { id: "ov-strength-left", class: "hint" });
  #works = h("p", { id: "ov-strength-works", class: "strength-works" });
  #wrong = h("p", { class: "hint", role: "status" });
  #words = h(
    "div",
    { class: "stack" },
    h("div", { class: "strength-words" }, this.#band, this.#left, this.#wrong),
    this.#works,
  );
  #idle = h("p", { class: "hint" }, own.idle);
  #byStrength = h(
    "div",
    { class: "stack" },
    this.#strength.element,
    h("div", { class: "scale hint", "aria-hidden": "true" }, h("span", {}, own.low), h("span", {}, own.high)),
    this.#words,
  );

  connectedCallback() {
    this.#listen();
    const { figure } = this.#strength;
    const detailHint = h("p", { class: "hint", id: "ov-detail-hint" }, own.detailHint);
    fill(
      this,
      h(
        "section",
        { class: "stack", "aria-labelledby": "ov-strength-title" },
        h("h2", { id: "ov-strength-title" }, own.title),
        this.#idle,
        h("div", { class: "mode-row" }, this.#keep.mode, figure, this.#keep.dial.figure, this.#reset, this.#eye),
        this.#byStrength,
        this.#keep.element,
        h("div", { class: "stack detail" }, this.#detail.element, detailHint),
      ),
    );
    store.on(["server", "picture", "params"], (state) => this.#show(state));
    store.on(["params"], ({ params }) => this.#follow(params.keep !== undefined));
  }

  #listen() {
    const { input } = this.#strength;
    input.addEventListener("pointerdown", () => this.#noised.hold(true));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
      input.addEventListener(end, () => this.#noised.hold(false));
    }
    this.#eye.addEventListener("click", () => {
      this.#noised.pin(!this.#noised.isPinned, valueOf("strength"));
      this.#showEye();
    });
    this.#reset.addEventListener("click", () => {
      setParams({ strength: null });
      input.focus(); // the button goes, and is not to take the keyboard's place with it
    });
    this.#back.addEventListener("click", () => {
      setParams({ detail: null });
      this.#detail.input.focus();
    });
  }

  /** @param {number} strength */
  #move(strength) {
    setParams({ strength, keep: null, keep_measure: null });
    this.#noised.show(strength);
  }

  /** @param {State} state */
  #show(state) {
    const { server, picture, params } = state;
    const isOff = picture === null;
    const keeps = params.keep !== undefined;
    this.#idle.hidden = !isOff;
    this.#words.hidden = isOff;
    this.#byStrength.hidden = this.#strength.figure.hidden = keeps;
    this.#keep.dial.figure.hidden = !keeps;
    this.#keep.show(state);
    const detail = valueOf("detail");
    this.#detail.show(detail, { isOwn: params.detail !== undefined, isOff });
    this.#back.style.visibility = params.detail === undefined ? "hidden" : "visible";
    this.#reset.style.visibility = params.strength === undefined ? "hidden" : "visible";
    this.#eye.style.visibility = keeps ? "hidden" : "visible";
    if (server !== null) this.#showStrength(state, isOff);
    this.#showEye();
  }

  /** What stays shown is shown at the strength that it comes to, whoever changed it. @param {boolean} keeps */
  #follow(keeps) {
    if (!this.#noised.isPinned) return;
    if (keeps) this.#noised.end();
    else this.#noised.show(valueOf("strength"));
  }

  /** @param {State} state @param {boolean} isOff */
  #showStrength(state, isOff) {
    const strength = valueOf("strength");
    const preset = presetOf(state);
    const isOwn = state.params.strength !== undefined;
    const band = bandWords(state.server?.bands ?? [], strength);
    this.#strength.show(strength, { words: band, isOwn, isOff });
    this.#strength.showRange(preset?.range ?? null);
    this.#band.textContent = band;
    this.#reset.title = own.reset(preset !== null, Number(defaultOf("strength") ?? 0));
    this.#reset.setAttribute("aria-label", this.#reset.title);
    this.#showWorks(preset, strength);
    void this.#showLeft(strength);
  }

  /** @param {Preset | null} preset @param {number} strength */
  #showWorks(preset, strength) {
    const side = preset === null ? 0 : Number(strength > preset.range[1]) - Number(strength < preset.range[0]);
    this.#works.className = side === 0 ? "strength-works hint" : "strength-works warning";
    const say = side === 0 ? own.works : side > 0 ? own.beyond : own.below;
    this.#works.textContent = preset === null ? "" : say(preset.name, preset.range);
  }

  /** @param {number} strength */
  async #showLeft(strength) {
    if (strength === 0 || strength === 1) {
      this.#left.textContent = strength === 0 ? own.leftAll : own.leftNone;
      return;
    }
    try {
      const survival = await survivalOf(strength);
      if (valueOf("strength") === strength) this.#left.textContent = survivalWords(survival);
    } catch {
      // it is words beside a slider: what is wrong with the server is told by who needs it
      this.#left.textContent = "";
    }
  }

  #showEye() {
    this.#eye.disabled = store.state.picture === null;
    this.#eye.setAttribute("aria-pressed", String(this.#noised.isPinned));
  }

  /** @param {{isBusy: boolean, wrong: string}} news */
  #hear({ isBusy, wrong }) {
    this.#wrong.textContent = wrong === "" ? "" : own.noNoised(wrong);
    this.#eye.classList.toggle("is-busy", isBusy);
    this.#showEye();
  }
}

define("ov-strength", StrengthPanel);
