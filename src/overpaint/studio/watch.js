/**
 * Jobs followed until they end. A browser has six connections for a server, so the job that is looked at and one more
 * are followed by a stream of events, the others by a glance at the stream's first event now and then; a tab that nobody
 * sees only glances. Where the server is away it is asked again with growing pauses, for as long as it takes.
 */

import { ApiError, eventsOf, resultOf } from "./api.js";
import { drop, get, put, trim } from "./kept.js";
import { tell } from "./notice.js";
import { isPlaceholder } from "./send.js";
import { store } from "./store.js";
import { thumbOf } from "./thumbs.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Job} Job */

const STREAMS = 2;
const GLANCE_PAUSE = 1000; // milliseconds between two rounds of glances
const HIDDEN_PAUSE = 4000;
const FIRST_PAUSE = 700; // after the server went away
const LONGEST_PAUSE = 10_000;
const ENDED = ["done", "failed", "cancelled"];

/** The way to the server: whether it is cut. Told by touching "jobs". */
export const link = { away: false };

/** @type {Map<string, AbortController>} */
const streams = new Map();
/** Jobs whose end is being dealt with. @type {Set<string>} */
const ending = new Set();
let glancing = false;
let pause = FIRST_PAUSE;

/** Follow whatever job of the store has not ended. */
export function watchJobs() {
  store.on(["jobs", "shown"], arrange);
  document.addEventListener("visibilitychange", arrange);
  window.addEventListener("online", arrange);
}

/** @returns {Job[]} the one that is looked at first, then the oldest */
function unfinished() {
  const { jobs, shown } = store.state;
  const open = jobs.filter((job) => !ENDED.includes(job.state) && !isPlaceholder(job) && !ending.has(job.id)).reverse();
  return open.sort((a, b) => Number(b.id === shown.job) - Number(a.id === shown.job));
}

function arrange() {
  const wanted = document.hidden || link.away ? [] : unfinished().slice(0, STREAMS).map((job) => job.id);
  for (const [id, control] of streams) {
    if (!wanted.includes(id)) {
      streams.delete(id);
      control.abort();
    }
  }
  for (const id of wanted) if (!streams.has(id)) void stream(id);
  if (!glancing && unfinished().some((job) => !streams.has(job.id))) void glances();
}

/** @param {string} id */
async function stream(id) {
  const control = new AbortController();
  streams.set(id, control);
  try {
    for await (const event of eventsOf(id, control.signal)) happened(id, event);
    if (streams.get(id) === control) setAway(true); // it ended before the job did: the server ends
  } catch (error) {
    if (!control.signal.aborted) wentWrong(id, error);
  } finally {
    if (streams.get(id) === control) streams.delete(id);
    arrange();
  }
}

/** Look at every job that is not streamed, round after round, as long as there are some. */
async function glances() {
  glancing = true;
  await rest();
  for (let jobs = notStreamed(); jobs.length > 0; jobs = notStreamed()) {
    for (const { id } of jobs) {
      const away = link.away;
      await glance(id);
      if (link.away) break;
      if (away) arrange();
    }
    await rest();
  }
  glancing = false;
}

function notStreamed() {
  return unfinished().filter((job) => !streams.has(job.id));
}

function rest() {
  const time = link.away ? pause : document.hidden ? HIDDEN_PAUSE : GLANCE_PAUSE;
  if (link.away) pause = Math.min(pause * 1.7, LONGEST_PAUSE);
  return new Promise((resolve) => setTimeout(resolve, time));
}

/** @param {string} id */
async function glance(id) {
  const control = new AbortController();
  try {
    for await (const event of eventsOf(id, control.signal)) {
      happened(id, event);
      break;
    }
  } catch (error) {
    wentWrong(id, error);
  } finally {
    control.abort();
  }
}

/** @param {boolean} away */
function setAway(away) {
  if (!away) pause = FIRST_PAUSE;
  if (link.away === away) return;
  link.away = away;
  store.touch("jobs");
}

/**
 * @param {string} id
 * @param {{kind: string, data: any}} event
 */
function happened(id, { kind, data }) {
  setAway(false);
  if (ENDED.includes(kind)) void ended(id, data);
  else if (!ending.has(id)) change(id, { ...data, state: kind === "queued" ? "queued" : "running" });
}

/**
 * @param {string} id
 * @param {unknown} error
 */
function wentWrong(id, error) {
  if (!(error instanceof ApiError)) {
    if (error instanceof TypeError) setAway(true); // the connection broke
    else tell(error);
  } else if (error.status === 0 || error.status >= 500) setAway(true);
  else {
    setAway(false);
    void ended(id, error.status === 404 ? forgotten(id) : failedBy(id, error));
  }
}

/**
 * Change what is known of a job.
 * @param {string} id
 * @param {Partial<Job>} changes
 */
export function change(id, changes) {
  const { jobs } = store.state;
  if (jobs.some((job) => job.id === id)) {
    store.set({ jobs: jobs.map((job) => (job.id === id ? { ...job, ...changes } : job)) });
  }
}

/** @param {string} id @returns {Partial<Job>} */
function forgotten(id) {
  return failedBy(id, new ApiError(404, "forgotten", words.jobs.forgotten));
}

/** @param {string} id @param {ApiError} error @returns {Partial<Job>} */
function failedBy(id, { code, message, param }) {
  return { id, state: "failed", error: { code, message, param } };
}

/**
 * A job has ended: its result is fetched and kept before it is told.
 * @param {string} id
 * @param {Partial<Job>} told
 */
async function ended(id, told) {
  if (ending.has(id)) return;
  ending.add(id);
  streams.get(id)?.abort();
  streams.delete(id);
  try {
    const image = told.state === "done" ? await fetched(id, told) : null;
    change(id, { ...told, image, preview: null, step: null, eta: null });
    if (image === null) await drop("entries", [id]);
  } catch (error) {
    // the server went away between the job's end and its result
    if (error instanceof ApiError && (error.status === 0 || error.status >= 500)) setAway(true);
    else change(id, failedBy(id, error instanceof ApiError ? error : new ApiError(0, "unknown", words.errors.unexpected)));
  } finally {
    ending.delete(id);
    arrange();
  }
}

/**
 * @param {string} id
 * @param {Partial<Job>} told
 * @returns {Promise<string>} the result's object URL
 */
async function fetched(id, told) {
  const entry = await get("entries", id);
  const result = entry?.result ?? (await resultOf(id));
  if (entry !== undefined && entry.result === null) {
    const job = { ...entry.job, ...told };
    await put("entries", { ...entry, job, result, thumb: await thumbOf(result) });
    await trim();
  }
  return URL.createObjectURL(result);
}
