/** Over the stage: the result, before and after, their difference, or a running edit; and what to do with it. */

import { About } from "./about.js";
import { define, fill, h, icon } from "./dom.js";
import { downloadResult } from "./download.js";
import { shortcut } from "./keys.js";
import { OF_JOBS, jobOf, resultBlob } from "./looking.js";
import { telling } from "./notice.js";
import { useAsInput } from "./open.js";
import { idNow } from "./pictures.js";
import { isOwn } from "./recipe.js";
import { Sheet } from "./sheet.js";
import { store } from "./store.js";
import { words } from "./words.js";

/**
 * @typedef {import("./store.js").Job} Job
 * @typedef {import("./looking.js").What} What
 */

const VIEWS = /** @type {const} */ (["picture", "result", "compare", "difference"]);
const GAIN = 4;

class Compare extends HTMLElement {
  #sheet = new Sheet();
  #about = new About();
  #radios = VIEWS.map((what) => h("input", { type: "radio", name: "ov-view", value: what, onchange: () => this.#choose(what) }));
  #gain = h("input", { type: "range", min: "1", max: "16", step: "1", value: String(GAIN), oninput: () => this.#show() });
  #amplify = h("label", { class: "gain" }, words.compare.gain, this.#gain);
  #caption = h("p", { class: "hint figures caption" });
  #use = h("button", { type: "button", class: "button", onclick: telling(() => this.#useAsInput()) }, words.compare.use);
  #download = h(
    "button",
    {
      type: "button",
      class: "button",
      title: words.compare.download,
      "aria-label": words.compare.download,
      onclick: telling(() => this.#withJob(downloadResult)),
    },
    icon("download"),
  );
  #bar = h("div", { class: "compare-bar" });
  /** The job that was looked at last: the picture alone goes back to it. */
  #job = /** @type {string | null} */ (null);
  #picture = /** @type {string | null} */ (null);

  connectedCallback() {
    const labels = this.#radios.map((radio, i) => h("label", {}, radio, words.compare.views[VIEWS[i] ?? "picture"]));
    const legend = h("legend", { class: "out-of-sight" }, words.compare.view);
    const views = h("fieldset", { class: "views", onkeydown: keepArrows }, legend, ...labels);
    fill(this.#bar, views, this.#amplify, this.#caption, this.#use, this.#download, this.#about.element);
    this.append(this.#sheet.element, this.#bar);
    for (const [i, what] of VIEWS.entries()) shortcut(String(i + 1), words.compare.views[what], () => this.#choose(what));
    store.on(["shown", "jobs", "picture"], () => this.#show());
    let tool = store.state.tool.name;
    store.on(["tool"], (state) => {
      // who takes another brush wants to paint
      if (state.tool.name !== tool && OF_JOBS.includes(state.shown.what)) this.#choose("picture");
      tool = state.tool.name;
    });
  }

  /** @returns {Job | null} */
  get #looked() {
    return jobOf(this.#job);
  }

  /** @param {What} what */
  #choose(what) {
    const job = this.#looked;
    if (!this.#can(job).includes(what)) return;
    store.set({ shown: { what, job: job?.id ?? null } });
  }

  /** What there is to be seen. @param {Job | null} job @returns {What[]} */
  #can(job) {
    /** @type {What[]} */
    const can = store.state.picture === null ? [] : ["picture"];
    if (job === null || job.state === "failed" || job.state === "cancelled") return can;
    can.push("result");
    if (job.image && job.snapshot?.picture) can.push("compare", "difference");
    return can;
  }

  #show() {
    const { shown, picture } = store.state;
    this.#forget(picture?.id ?? null);
    if (shown.job !== null) this.#job = shown.job;
    const job = this.#looked;
    const can = this.#can(job);
    const over = job !== null && can.includes("result") && OF_JOBS.includes(shown.what);
    this.#sheet.element.hidden = !over;
    this.#bar.hidden = !can.includes("result");
    this.classList.toggle("over", over);
    const what = over ? (can.includes(shown.what) ? shown.what : "result") : "picture";
    for (const [i, radio] of this.#radios.entries()) {
      radio.disabled = !can.includes(VIEWS[i] ?? "picture");
      radio.checked = VIEWS[i] === what;
    }
    const checked = this.#radios.find((radio) => radio.checked);
    // by a key, while the focus is on another one
    if (this.#radios.some((radio) => radio === document.activeElement && radio !== checked)) checked?.focus();
    if (job !== null) this.#showBar(job, what);
    if (over) void this.#sheet.show(job, what, Number(this.#gain.value));
  }

  /** @param {Job} job @param {What} what */
  #showBar(job, what) {
    const done = Boolean(job.image);
    this.#amplify.hidden = what !== "difference";
    for (const one of [this.#use, this.#download, this.#about.element]) one.hidden = !done || what === "picture";
    this.#caption.hidden = done || what === "picture";
    const steps = job.state === "running" && job.step && job.steps;
    this.#caption.textContent = steps ? words.compare.preview(job.step ?? 0, steps) : words.compare.waits;
    if (done) this.#about.show(job);
  }

  /** A picture that has nothing to do with the last job makes it the past. @param {string | null} picture */
  #forget(picture) {
    const other = picture !== null && picture !== this.#picture && idNow(this.#looked?.snapshot?.picture?.id) !== picture;
    if (other) this.#job = null;
    this.#picture = picture;
  }

  /** @param {(job: Job) => unknown} call */
  async #withJob(call) {
    const job = this.#looked;
    if (job !== null) await call(job);
  }

  async #useAsInput() {
    const job = this.#looked;
    if (job === null) return;
    const file = await resultBlob(job);
    isOwn(file);
    await useAsInput(file, words.compare.inputName(job.snapshot?.picture?.name ?? ""));
  }
}

/** Arrows go from view to view, and nowhere else. @param {KeyboardEvent} event */
function keepArrows(event) {
  if (event.key.startsWith("Arrow")) event.stopPropagation();
}

define("ov-compare", Compare);
