/** What is known of an edit: what it kept, how it was made, what the server warned of; and the same as a command. */

import { commandOf, pythonOf } from "./commands.js";
import { copyText } from "./clipboard.js";
import { fill, h, icon } from "./dom.js";
import { downloadMaps } from "./download.js";
import { factsOf, figuresOf } from "./fidelity.js";
import { telling } from "./notice.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Job} Job */

export class About {
  #panel = h("div", { class: "about-panel stack" });
  element = h("details", { class: "about" }, h("summary", { class: "button" }, words.about.title), this.#panel);
  #shown = /** @type {Job | null} */ (null);

  constructor() {
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.element.open) return;
      event.preventDefault();
      this.element.open = false;
      this.element.querySelector("summary")?.focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!(event.target instanceof Node && this.element.contains(event.target))) this.element.open = false;
    });
  }

  /** @param {Job} job */
  show(job) {
    if (this.#shown === job) return;
    this.#shown = job;
    const figures = figuresOf(job);
    fill(
      this.#panel,
      h("p", { class: "about-prompt" }, String(job.params.prompt ?? "") || words.jobs.noPrompt),
      this.#buttons(job),
      ...(figures.length > 0 ? [h("h2", {}, words.about.kept), list(figures)] : []),
      h("h2", {}, words.about.made),
      list(factsOf(job)),
      ...job.warnings.map((warning) => h("p", { class: "warning" }, warning)),
    );
  }

  /** @param {Job} job */
  #buttons(job) {
    const { command, python, maps, copied } = words.about;
    const marked = job.snapshot && (job.snapshot.base || job.snapshot.strokes || job.snapshot.layers.length > 0);
    return h(
      "div",
      { class: "row" },
      button("copy", command, () => copyText(commandOf(job), copied.command)),
      button("copy", python, () => copyText(pythonOf(job), copied.python)),
      marked && button("download", maps, () => downloadMaps(job)),
    );
  }
}

/** @param {import("./dom.js").IconName} drawing @param {string} text @param {() => unknown} call */
function button(drawing, text, call) {
  return h("button", { type: "button", class: "button", onclick: telling(call) }, icon(drawing), text);
}

/** @param {[string, string][]} rows */
function list(rows) {
  const cells = rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "figures" }, value)));
  return h("dl", { class: "about-list" }, ...cells);
}
