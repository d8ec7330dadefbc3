/** The job that is looked at: results are brought from what is kept, and shown. */

import { resultOf } from "./api.js";
import { get } from "./kept.js";
import { store } from "./store.js";

/**
 * @typedef {import("./store.js").Job} Job
 * @typedef {import("./kept.js").Entry} Entry
 * @typedef {import("./store.js").Shown["what"]} What
 */

/** What is shown of a job, beside the picture alone. @type {readonly What[]} */
export const OF_JOBS = ["result", "compare", "difference"];

/** @param {string | null} id @returns {Job | null} */
export function jobOf(id) {
  return store.state.jobs.find((job) => job.id === id) ?? null;
}

/**
 * Show a job of the store.
 * @param {string} id
 * @param {What} [what]  left out: as the job before was shown
 */
export function lookAt(id, what) {
  const before = store.state.shown.what;
  const same = OF_JOBS.includes(before) ? before : "result";
  store.set({ shown: { what: what ?? same, job: id } });
}

/** Have a kept result among the jobs, with its picture. @param {Entry} entry @returns {Job} */
export function jobOfEntry(entry) {
  const known = jobOf(entry.id);
  if (known?.image) return known;
  const { job, snapshot, result } = entry;
  const image = result && URL.createObjectURL(result);
  /** @type {Job} */
  const whole = { ...job, snapshot, image, preview: null };
  const others = store.state.jobs.filter((one) => one.id !== whole.id);
  store.set({ jobs: [...others, whole].sort((a, b) => b.created - a.created) });
  return whole;
}

/** A result's file, of this browser's own or from the server. @param {Job} job @returns {Promise<Blob>} */
export async function resultBlob({ id }) {
  const entry = await get("entries", id);
  return entry?.result ?? resultOf(id);
}
