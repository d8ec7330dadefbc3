/**
 * Every request that the page makes: the server's public API and nothing else (docs/server.md).
 *
 * Where the server wants an API key, `onKeyWanted` asks for it, once for all requests that wait for it; it is kept for
 * this tab alone.
 */

import { words } from "./words.js";

/** @typedef {import("./store.js").Job} Job */

/** What the server, or the way to it, has to say against a request. */
export class ApiError extends Error {
  /**
   * @param {number} status  0: there was no answer
   * @param {string} code
   * @param {string} message
   * @param {string | null} param  the parameter at fault
   */
  constructor(status, code, message, param = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

const KEPT = "overpaint-key";

/** @type {(wrong: boolean) => Promise<string>} */
let askForKey = async () => "";
/** @type {Promise<string> | null} */
let asking = null;

/**
 * Say who asks a person for the key. `wrong`: the one that was given is not known.
 * @param {(wrong: boolean) => Promise<string>} ask
 */
export function onKeyWanted(ask) {
  askForKey = ask;
}

/** @param {boolean} wrong */
async function newKey(wrong) {
  asking ??= askForKey(wrong).finally(() => (asking = null));
  sessionStorage.setItem(KEPT, await asking);
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}  one that is no error
 */
export async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEPT);
  const headers = new Headers(options.headers);
  if (key) headers.set("authorization", `Bearer ${key}`);
  /** @type {Response} */
  let answer;
  try {
    // without credentials of the browser's own, or it would ask for a name and a password itself
    answer = await fetch(path, { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", words.errors.unreachable);
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    // a refusal that comes late, when another key was given already, is none of that one
    if (sessionStorage.getItem(KEPT) === key) await newKey(Boolean(key));
    return ask(path, options);
  }
  throw await errorOf(answer);
}

/** @param {Response} answer */
async function errorOf(answer) {
  try {
    const { code, message, param } = (await answer.json()).error;
    return new ApiError(answer.status, code, message, param);
  } catch {
    return new ApiError(answer.status, "unknown", words.errors.status(answer.status));
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

/**
 * @param {string} path
 * @param {unknown} told
 * @param {AbortSignal} [signal]
 */
function posted(path, told, signal) {
  const headers = { "content-type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(told), signal });
}

/** A form of texts and files; what is null is left out. @param {Record<string, unknown>} parts */
export function formOf(parts) {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    if (value === null || value === undefined) continue;
    if (value instanceof Blob) form.append(name, value, value instanceof File ? value.name : `${name}.png`);
    else form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return form;
}

// ---- what there is to choose from ------------------------------------------------------------------------------------

/** @returns {Promise<import("./store.js").Server>} */
export async function loadServer() {
  const paths = ["models", "presets", "samplers", "parameters"];
  const [models, presets, samplers, parameters] = await Promise.all(paths.map((path) => askJson(`/v1/${path}`)));
  return {
    model: models.data[0],
    presets: presets.data,
    bands: presets.bands,
    advice: presets.advice,
    samplers: samplers.data,
    schedules: samplers.schedules,
    parameters: Object.fromEntries(parameters.data.map((/** @type {{name: string}} */ p) => [p.name, p])),
  };
}

// ---- pictures --------------------------------------------------------------------------------------------------------

/** @param {Blob} file @returns {Promise<{id: string, width: number, height: number, notes: string[]}>} */
export function addPicture(file) {
  return askJson("/v1/pictures", { method: "POST", body: formOf({ image: file }) });
}

/** The upright sRGB picture. @param {string} id @returns {Promise<Blob>} */
export async function viewOf(id) {
  return (await ask(`/v1/pictures/${id}/view`)).blob();
}

/**
 * The picture noised to a strength.
 * @param {string} id
 * @param {Record<string, string | number>} query  strength, and seed, variation, size, fit
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function noisedOf(id, query, signal) {
  const told = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return (await ask(`/v1/pictures/${id}/noised?${told}`, { signal })).blob();
}

/** What survives at one strength, in words and figures. @param {number} strength */
export async function survivalAt(strength) {
  /** @type {import("./store.js").Survival} */
  const told = (await askJson(`/v1/noise?strengths=${strength}`)).data[0];
  return told;
}

/** A map made by map tools, as a grey PNG. @param {string} id @param {string[]} tools @returns {Promise<Blob>} */
export async function selectIn(id, tools) {
  return (await posted(`/v1/pictures/${id}/select`, { tools })).blob();
}

/** @param {string} id @returns {Promise<any>} */
export function describe(id) {
  return askJson(`/v1/pictures/${id}/describe`);
}

/** The recipes that a file of ours, or of other programs, holds. @param {Blob} file @returns {Promise<any[]>} */
export async function recipesOf(file) {
  return (await askJson("/v1/recipes", { method: "POST", body: formOf({ image: file }) })).data;
}

// ---- jobs ------------------------------------------------------------------------------------------------------------

/** @param {FormData} form @returns {Promise<Job>} */
export function submit(form) {
  return askJson("/v1/edits", { method: "POST", body: form });
}

/** @param {FormData} form @returns {Promise<Job[]>} */
export async function submitSweep(form) {
  return (await askJson("/v1/sweeps", { method: "POST", body: form })).jobs;
}

/** @param {string} id @returns {Promise<Job>} */
export function job(id) {
  return askJson(`/v1/jobs/${id}`);
}

/** The newest jobs of this key, or of everybody where there are no keys. @returns {Promise<Job[]>} */
export async function jobs(limit = 50) {
  return (await askJson(`/v1/jobs?limit=${limit}`)).data;
}

/** @param {string} id @returns {Promise<Job>} */
export function cancel(id) {
  return askJson(`/v1/jobs/${id}`, { method: "DELETE" });
}

/** @param {string} id @returns {Promise<Blob>} */
export async function resultOf(id) {
  return (await ask(`/v1/jobs/${id}/result`)).blob();
}

/**
 * What happens to a job, until it has ended or the server ends. By fetch, for an EventSource cannot send a key.
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<{kind: string, data: any}>}
 */
export async function* eventsOf(id, signal) {
  const answer = await ask(`/v1/jobs/${id}/events?preview=true`, { signal });
  if (answer.body === null) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const event = eventOf(part);
      if (event !== null) yield event;
    }
  }
}

/** @param {string} part @returns {{kind: string, data: any} | null} null: a sign of life */
function eventOf(part) {
  const lines = part.split("\n");
  const kind = lines.find((line) => line.startsWith("event: "))?.slice(7);
  const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
  return kind === undefined || data === undefined ? null : { kind, data: JSON.parse(data) };
}
