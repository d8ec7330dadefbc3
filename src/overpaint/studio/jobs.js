/** The edits that are under way, and those that failed; what happens to them is read out by screen readers. */

import { cancel } from "./api.js";
import { choose } from "./choose.js";
import { define, h } from "./dom.js";
import { JobRow } from "./job-row.js";
import { all, onChange } from "./kept.js";
import { jobOf } from "./looking.js";
import { tell, telling } from "./notice.js";
import { restore } from "./restore.js";
import { askAgain, isPlaceholder, takeBack } from "./send.js";
import { store } from "./store.js";
import { link, watchJobs } from "./watch.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Job} Job */

const CANCELLED_FOR = 5000; // milliseconds that one is shown that was cancelled

class Jobs extends HTMLElement {
  #list = h("ul", { class: "jobs", "aria-label": words.jobs.list });
  #away = h("p", { class: "warning", role: "status" }, words.jobs.away);
  #all = h("button", { type: "button", class: "button", onclick: telling(() => this.#cancelAll()) }, words.jobs.cancelAll);
  #said = h("p", { class: "out-of-sight", "aria-live": "polite" });
  /** @type {Map<string, JobRow>} */
  #rows = new Map();
  /** The state in which each job was last seen. @type {Map<string, string>} */
  #states = new Map();

  connectedCallback() {
    const head = h("div", { class: "row spread jobs-head" }, h("h2", {}, words.jobs.list), this.#all);
    this.append(this.#said, this.#away, head, this.#list);
    store.on(["jobs", "shown"], ({ jobs, shown }) => this.#show(jobs, shown.job, head));
    watchJobs();
    onChange(() => void findAgain().catch(tell));
    void this.#begin().catch(tell);
  }

  /** What was under way when the page was left is there again, with all that it was asked for with. */
  async #begin() {
    await askAgain();
    const found = await findAgain();
    const newest = found[0];
    if (newest?.snapshot && store.state.picture === null && String(store.state.params.prompt ?? "") === "") {
      if (await restore(newest.snapshot)) store.set({ shown: { what: "result", job: newest.id } });
    }
  }

  /**
   * @param {Job[]} jobs
   * @param {string | null} looked
   * @param {HTMLElement} head
   */
  #show(jobs, looked, head) {
    for (const job of jobs) this.#say(job);
    const shown = jobs.filter((job) => job.state !== "done");
    for (const [id, row] of this.#rows) {
      if (!shown.some((job) => job.id === id)) {
        this.#keepFocus(row);
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    for (const [i, job] of shown.entries()) {
      const row = this.#rowOf(job);
      row.show(job, job.id === looked);
      if (this.#list.children[i] !== row.element) this.#list.insertBefore(row.element, this.#list.children[i] ?? null);
    }
    head.hidden = shown.length === 0;
    this.#all.hidden = shown.filter(canCancel).length < 2;
    this.#away.hidden = !link.away || !shown.some(canCancel);
  }

  /** @param {Job} job */
  #rowOf(job) {
    let row = this.#rows.get(job.id);
    if (row === undefined) {
      row = new JobRow(telling(() => end(jobOf(job.id) ?? job)));
      this.#rows.set(job.id, row);
    }
    return row;
  }

  /** A row that goes away with the focus in it gives it to the next. @param {JobRow} row */
  #keepFocus(row) {
    if (!row.element.contains(document.activeElement)) return;
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const place = next?.querySelector("button") ?? document.querySelector("ov-run button");
    if (place instanceof HTMLElement) place.focus();
  }

  /** Read out what becomes of a job, but not every step. @param {Job} job */
  #say(job) {
    const { id, state } = job;
    const before = this.#states.get(id);
    this.#states.set(id, state);
    if (before === state || (before === undefined && state !== "queued")) return;
    if (state === "cancelled") setTimeout(() => putAway(id), CANCELLED_FOR);
    const text = words.jobs.said(state, String(job.params.prompt ?? ""), job.error?.message ?? "");
    if (text !== "" && !isPlaceholder(job)) this.#said.textContent = text;
  }

  async #cancelAll() {
    const open = store.state.jobs.filter(canCancel);
    const { cancelAll, cancelAllText } = words.jobs;
    if ((await choose(cancelAll, cancelAllText(open.length), { cancel: cancelAll })) === null) return;
    for (const job of open) await end(job);
  }
}

/** @param {Job} job */
function canCancel({ state }) {
  return state === "queued" || state === "running";
}

/** Cancel a job, or put away one that has ended. @param {Job} job */
async function end(job) {
  if (isPlaceholder(job)) await takeBack(job);
  else if (canCancel(job)) await cancelled(job);
  else putAway(job.id);
}

/** @param {string} id */
function putAway(id) {
  const { jobs, shown } = store.state;
  /** @type {import("./store.js").Shown} */
  const instead = shown.job === id ? { what: "picture", job: null } : shown;
  store.set({ jobs: jobs.filter((job) => job.id !== id), shown: instead });
}

/** @param {Job} job */
async function cancelled(job) {
  try {
    await cancel(job.id);
  } catch (error) {
    const ended = /** @type {{status?: number}} */ (error).status === 409; // it was faster
    if (!ended) throw error;
  }
}

/** Have all kept jobs that have not ended among the jobs of the store. @returns {Promise<Job[]>} newest first */
async function findAgain() {
  const entries = (await all("entries")).filter((entry) => entry.result === null).sort((a, b) => b.at - a.at || a.index - b.index);
  const found = entries.filter((entry) => jobOf(entry.id) === null).map(({ job, snapshot }) => ({ ...job, snapshot }));
  if (found.length > 0) store.set({ jobs: [...found, ...store.state.jobs] });
  return found;
}

define("ov-jobs", Jobs);
