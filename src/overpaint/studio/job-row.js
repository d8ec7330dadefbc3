/** One edit that is under way: how far it is, what it will look like, and a button that ends it. */

import { fill, h } from "./dom.js";
import { strengthOf } from "./fidelity.js";
import { lookAt } from "./looking.js";
import { isPlaceholder } from "./send.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Job} Job */

export class JobRow {
  #preview = h("img", { alt: "", class: "job-preview" });
  #look;
  #title = h("span", { class: "job-title" });
  #strength = h("span", { class: "hint figures" });
  #told = h("p", { class: "hint figures" });
  #bar = h("progress", {});
  #warnings = h("div", { class: "stack" });
  #end;
  #id = "";

  /** @param {() => unknown} end  what the button does */
  constructor(end) {
    this.#look = h("button", { type: "button", class: "job-look", onclick: () => lookAt(this.#id) }, this.#preview);
    this.#end = h("button", { type: "button", class: "button", onclick: end });
    const head = h("p", { class: "job-head" }, this.#title, this.#strength);
    const middle = h("div", { class: "job-middle" }, head, this.#bar, this.#told, this.#warnings);
    this.element = h("li", { class: "job" }, this.#look, middle, this.#end);
  }

  /**
   * @param {Job} job
   * @param {boolean} looked  it is what the stage shows
   */
  show(job, looked) {
    this.#id = job.id;
    const name = nameOf(job);
    const ended = job.state === "failed" || job.state === "cancelled";
    this.element.dataset.state = job.state;
    this.#title.textContent = promptOf(job);
    const strength = strengthOf(job);
    this.#strength.textContent = strength === null ? "" : words.jobs.strength(strength);
    this.#told.textContent = toldOf(job);
    this.#told.classList.toggle("error", job.state === "failed");
    this.#look.hidden = ended;
    this.#look.setAttribute("aria-label", words.jobs.look(name));
    this.#look.setAttribute("aria-pressed", String(looked));
    if (job.preview && this.#preview.src !== job.preview) this.#preview.src = job.preview;
    this.#preview.hidden = !job.preview;
    this.#showBar(job, name, ended);
    this.#showEnd(ended, name);
    fill(this.#warnings, ...job.warnings.map((warning) => h("p", { class: "hint" }, warning)));
  }

  /** @param {Job} job @param {string} name @param {boolean} ended */
  #showBar({ state, step, steps }, name, ended) {
    this.#bar.hidden = ended;
    this.#bar.setAttribute("aria-label", words.jobs.progress(name));
    this.#bar.max = steps || 1;
    // one that waits, or has just begun, is at nought: a bar without a value would move for ever
    this.#bar.value = state === "running" ? (step ?? 0) : 0;
  }

  /** @param {boolean} ended @param {string} name */
  #showEnd(ended, name) {
    const label = ended ? words.jobs.dismiss : words.jobs.cancel;
    if (this.#end.dataset.label !== label) {
      this.#end.dataset.label = label;
      this.#end.textContent = label;
    }
    this.#end.setAttribute("aria-label", `${label}: ${name}`);
  }
}

/** What a person knows an edit by. @param {Job} job */
export function nameOf(job) {
  const strength = strengthOf(job);
  return strength === null ? promptOf(job) : `${promptOf(job)} · ${words.jobs.strength(strength)}`;
}

/** @param {Job} job */
export function promptOf({ params }) {
  return String(params.prompt ?? "").trim() || words.jobs.noPrompt;
}

/** @param {Job} job */
function toldOf(job) {
  const { state, step, steps, place, eta, error } = job;
  if (isPlaceholder(job)) return words.jobs.sending;
  if (state === "failed") return words.jobs.failed(error?.message ?? "");
  if (state === "cancelled") return words.jobs.cancelled;
  const left = typeof eta === "number" ? words.jobs.left(eta) : "";
  const now = state === "queued" ? words.jobs.place(place ?? null) : step && steps ? words.jobs.step(step, steps) : words.jobs.begins;
  return [now, left].filter(Boolean).join(" · ");
}
