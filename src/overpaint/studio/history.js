/** What was made: results with their thumbnails, kept in this browser; a click brings everything back that made one. */

import { choose } from "./choose.js";
import { define, fill, h } from "./dom.js";
import { HistoryItem } from "./history-item.js";
import { drop, onChange, results } from "./kept.js";
import { jobOfEntry, lookAt } from "./looking.js";
import { telling } from "./notice.js";
import { bringBack } from "./recipe.js";
import { restore } from "./restore.js";
import { store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./kept.js").Entry} Entry */

class History extends HTMLElement {
  #list = h("ul", { class: "history", "aria-label": words.history.title });
  #clear = h("button", { type: "button", class: "quiet", onclick: telling(() => this.#clearAll()) }, words.history.clear);
  #hint = h("p", { class: "hint" }, words.history.keys);
  #head = h("div", { class: "row spread history-head" }, h("h2", {}, words.history.title), this.#hint, this.#clear);
  /** In the order in which they stand. @type {Map<string, HistoryItem>} */
  #items = new Map();
  /** The one that Tab comes to; arrows go from there. */
  #current = "";
  #reading = Promise.resolve();

  connectedCallback() {
    this.append(this.#head, this.#list);
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("focusin", (event) => this.#focused(event.target));
    this.addEventListener("dragover", (event) => event.preventDefault());
    this.addEventListener("drop", (event) => this.#dropped(event));
    onChange(() => this.#read());
    store.on(["shown"], ({ shown }) => this.#mark(shown.job));
    this.#read();
  }

  /** One reading after the other, so that the latest state is the last that is shown. */
  #read() {
    this.#reading = this.#reading.then(telling(async () => this.#show(await results())));
  }

  /** @param {Entry[]} entries */
  #show(entries) {
    const kept = new Set(entries.map((entry) => entry.id));
    const focused = this.#list.contains(document.activeElement) ? this.#current : null;
    const ids = [...this.#items.keys()];
    for (const [id, item] of this.#items) {
      if (kept.has(id)) continue;
      item.free();
      this.#items.delete(id);
    }
    const items = entries.map((entry) => this.#items.get(entry.id) ?? this.#made(entry));
    this.#items = new Map(items.map((item) => [item.entry.id, item]));
    fill(this.#list, ...groupsOf(items).map(groupElement));
    this.#head.hidden = entries.length === 0;
    if (!this.#items.has(this.#current)) this.#current = this.#nearest(ids);
    this.#rove(focused !== null);
    this.#mark(store.state.shown.job);
  }

  /** What stands where the current one stood. @param {string[]} before  ids */
  #nearest(before) {
    const place = before.indexOf(this.#current);
    const left = before.slice(Math.max(place, 0)).find((id) => this.#items.has(id));
    return left ?? [...this.#items.keys()][place < 0 ? 0 : this.#items.size - 1] ?? "";
  }

  /** @param {Entry} entry */
  #made(entry) {
    return new HistoryItem(entry, {
      pick: telling(() => pick(entry)),
      remove: telling(() => this.#remove(entry)),
    });
  }

  /** @param {string | null} looked */
  #mark(looked) {
    for (const [id, item] of this.#items) item.mark(id === looked);
  }

  /** @param {boolean} focus */
  #rove(focus) {
    for (const [id, item] of this.#items) item.reach(id === this.#current);
    if (focus) this.#items.get(this.#current)?.button.focus();
  }

  /** @param {EventTarget | null} target */
  #focused(target) {
    for (const [id, item] of this.#items) {
      if (target instanceof Node && item.element.contains(target) && id !== this.#current) {
        this.#current = id;
        this.#rove(false);
      }
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const ids = [...this.#items.keys()];
    const place = ids.indexOf(this.#current);
    const [before, after] = [place - 1, place + 1];
    /** @type {Record<string, number>} */
    const places = { ArrowRight: after, ArrowDown: after, ArrowLeft: before, ArrowUp: before, Home: 0, End: ids.length - 1 };
    const next = ids[places[event.key] ?? -1];
    const item = this.#items.get(this.#current);
    if (event.key === "Delete" && item) void telling(() => this.#remove(item.entry))();
    else if (!(event.key in places)) return;
    else if (next !== undefined) {
      this.#current = next;
      this.#rove(true);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {Entry} entry */
  async #remove(entry) {
    const { remove, removeText } = words.history;
    if ((await choose(remove, removeText, { remove })) !== null) await forget([entry.id]);
  }

  async #clearAll() {
    const { clear, clearText } = words.history;
    const ids = [...this.#items.keys()];
    if ((await choose(clear, clearText(ids.length), { clear })) !== null) await forget(ids);
  }

  /** A file of ours that is dropped here brings its settings back. @param {DragEvent} event */
  #dropped(event) {
    const file = event.dataTransfer?.files[0];
    if (file === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    void telling(() => bringBack(file, file.name))();
  }
}

/** @param {string[]} ids */
async function forget(ids) {
  const { jobs, shown } = store.state;
  if (ids.includes(shown.job ?? "")) store.set({ shown: { what: "picture", job: null } });
  for (const { id, image } of jobs) if (ids.includes(id) && image) URL.revokeObjectURL(image);
  store.set({ jobs: jobs.filter((job) => !ids.includes(job.id)) });
  await drop("entries", ids);
}

/** Everything as it was for this result; of several the seed and the strength that made this one. @param {Entry} entry */
async function pick(entry) {
  const { job, how, snapshot } = entry;
  const { seed, variation, strength } = job.params;
  /** @type {import("./store.js").Params} */
  const ofSweep = how.kind === "sweep" ? { strength: strength ?? null, keep: null, keep_measure: null } : {};
  await restore(snapshot, { seed: seed ?? job.seed, ...(variation === undefined ? {} : { variation }), ...ofSweep });
  lookAt(jobOfEntry(entry).id);
}

/** Those of one click stand together. @param {HistoryItem[]} items @returns {HistoryItem[][]} */
function groupsOf(items) {
  /** @type {HistoryItem[][]} */
  const groups = [];
  for (const item of items) {
    const last = groups.at(-1);
    const { at, how } = item.entry;
    if (last?.[0] && how.kind !== "edit" && last[0].entry.at === at) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** @param {HistoryItem[]} items */
function groupElement(items) {
  const [first] = items;
  const kind = first?.entry.how.kind ?? "edit";
  if (kind === "edit" || first === undefined) return h("li", {}, first?.element);
  const name = words.history.group(kind, String(first.entry.snapshot.params.prompt ?? ""));
  const each = items.map((item) => h("li", {}, item.element));
  return h("li", { class: "history-group" }, h("ul", { "aria-label": name }, ...each));
}

define("ov-history", History);
