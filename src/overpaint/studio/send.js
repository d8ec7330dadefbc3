/**
 * Edits on their way to the server. What is asked for is kept with its key before it is sent, so that an answer that is
 * lost, or a reload in between, makes no second job: it is asked again with the same key. Until there is an answer a
 * placeholder stands among the jobs.
 */

import { ApiError, submit, submitSweep } from "./api.js";
import { newId } from "./ids.js";
import { all, drop, put } from "./kept.js";
import { tell, untell } from "./notice.js";
import { keepPicture, sentAgain } from "./pictures.js";
import { editForm, snapshot } from "./request.js";
import { store } from "./store.js";

/**
 * @typedef {import("./kept.js").Asked} Asked
 * @typedef {import("./kept.js").How} How
 * @typedef {import("./store.js").Job} Job
 */

const FIRST_PAUSE = 1000; // milliseconds; twice as long each time
const LONGEST_PAUSE = 15_000;
const NOT_SENT = "asked-"; // how the ids of placeholders begin

/** Keys of what is on its way. @type {Set<string>} */
const going = new Set();

/** What was shown when it was asked for: if it is refused, that is shown again. @type {Map<string, import("./store.js").Shown>} */
const before = new Map();

/** Whether a job is not with the server yet. @param {Job} job */
export function isPlaceholder(job) {
  return job.id.startsWith(NOT_SENT);
}

/**
 * Ask for an edit, or several, of what the page shows now.
 * @param {How} how
 */
export async function ask(how) {
  const key = newId();
  const asked = { key, at: Date.now(), how, snapshot: await snapshot() };
  const placeholder = placeholderOf(asked);
  before.set(key, store.state.shown);
  store.set({ jobs: [placeholder, ...store.state.jobs], shown: { what: "result", job: placeholder.id } });
  await put("asked", asked);
  await send(asked);
}

/** What was asked for when the page was left, and what has no answer yet. */
export async function askAgain() {
  for (const asked of await all("asked")) {
    if (going.has(asked.key)) continue;
    store.set({ jobs: [placeholderOf(asked), ...store.state.jobs] });
    send(asked).catch(tell);
  }
}

/** Not to be sent after all. @param {Job} job */
export async function takeBack(job) {
  const key = job.id.slice(NOT_SENT.length);
  going.delete(key);
  replace(key, []);
  await drop("asked", [key]);
}

/** @param {Asked} asked @returns {Job} */
function placeholderOf({ key, at, snapshot }) {
  const { params } = snapshot;
  const told = { id: NOT_SENT + key, state: /** @type {const} */ ("queued"), created: at / 1000, seed: 0, warnings: [] };
  return { ...told, params, snapshot };
}

/** @param {Asked} asked */
async function send(asked) {
  const { key } = asked;
  going.add(key);
  try {
    const jobs = await answered(asked);
    if (jobs !== null) await taken(asked, jobs);
  } catch (error) {
    replace(key, []);
    await drop("asked", [key]);
    throw error;
  } finally {
    going.delete(key);
  }
}

/** @param {Asked} asked @returns {Promise<Job[] | null>} null: it was taken back */
async function answered(asked) {
  let pause = FIRST_PAUSE;
  while (going.has(asked.key)) {
    try {
      const jobs = await jobsOf(asked);
      if (pause !== FIRST_PAUSE) untell();
      return jobs;
    } catch (error) {
      const passes = error instanceof ApiError && [0, 429, 503].includes(error.status);
      if (!passes) throw error;
      if (pause === FIRST_PAUSE) tell(error);
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
  return null;
}

/** @param {Asked} asked @returns {Promise<Job[]>} */
async function jobsOf(asked) {
  try {
    return await posted(asked);
  } catch (error) {
    const { picture } = asked.snapshot;
    if (!(error instanceof ApiError && error.status === 404 && picture !== null)) throw error;
    asked.snapshot = { ...asked.snapshot, picture: await sentAgain(picture, error) };
    return posted(asked);
  }
}

/** @param {Asked} asked @returns {Promise<Job[]>} */
async function posted({ how, snapshot, key }) {
  if (how.kind === "edit") return [await submit(await editForm(snapshot, { idempotency_key: key }))];
  const more = how.kind === "sweep"
    ? { strengths: how.strengths?.join(","), strength: null, keep: null, keep_measure: null }
    : { count: how.count };
  return submitSweep(await editForm(snapshot, { idempotency_key: key, ...more }));
}

/**
 * The server has taken it: its jobs are kept, and stand where the placeholder stood.
 * @param {Asked} asked
 * @param {Job[]} jobs
 */
async function taken({ key, at, how, snapshot }, jobs) {
  await put("entries", ...jobs.map((job, index) => ({ id: job.id, at, index, how, snapshot, job, result: null, thumb: null })));
  replace(key, jobs.map((job) => ({ ...job, snapshot })));
  await drop("asked", [key]);
  if (snapshot.picture !== null) await keepPicture(snapshot.picture).catch(() => {}); // for later; the edit is under way
}

/**
 * @param {string} key
 * @param {Job[]} jobs
 */
function replace(key, jobs) {
  const { jobs: now, shown } = store.state;
  const known = new Set(now.map((job) => job.id));
  const place = now.findIndex((job) => job.id === NOT_SENT + key);
  const next = now.filter((job) => job.id !== NOT_SENT + key);
  next.splice(Math.max(0, place), 0, ...jobs.filter((job) => !known.has(job.id)));
  const looked = shown.job === NOT_SENT + key;
  /** @type {import("./store.js").Shown} */
  const back = before.get(key) ?? { what: "picture", job: null };
  before.delete(key);
  const instead = jobs[0] === undefined ? back : { what: shown.what, job: jobs[0].id };
  store.set({ jobs: next, ...(looked ? { shown: instead } : {}) });
}
