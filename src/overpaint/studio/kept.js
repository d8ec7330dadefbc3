/**
 * What this browser keeps, in IndexedDB: what was asked for and not yet answered, the jobs with all they were asked with,
 * their results, and the pictures that they were made of. Where there is no IndexedDB (private windows) it is kept as
 * long as the page is open. All tabs hear of changes.
 *
 * @typedef {import("./store.js").Job} Job
 * @typedef {import("./store.js").Snapshot} Snapshot
 *
 * @typedef {object} How  what one click asks for
 * @property {"edit" | "variations" | "sweep"} kind
 * @property {number} [count]  of variations
 * @property {number[]} [strengths]  of a sweep
 *
 * @typedef {object} Asked  what was sent, or is about to be; kept until the server has answered
 * @property {string} key  the idempotency key: asked again it makes no second job
 * @property {number} at  milliseconds
 * @property {How} how
 * @property {Snapshot} snapshot
 *
 * @typedef {object} Entry  a job that this browser asked for
 * @property {string} id
 * @property {number} at  milliseconds; one click's jobs have the same
 * @property {number} index  among them
 * @property {How} how
 * @property {Snapshot} snapshot
 * @property {Job} job  as last told, without pictures
 * @property {Blob | null} result
 * @property {Blob | null} thumb
 *
 * @typedef {{id: string, name: string, file: Blob}} KeptPicture  a picture's view, should the server forget it
 *
 * @typedef {{asked: Asked, entries: Entry, pictures: KeptPicture}} Tables
 * @typedef {keyof Tables} Table
 */

/** @type {Record<Table, string>} */
const KEYS = { asked: "key", entries: "id", pictures: "id" };
const MOST = 200; // results
const MOST_BYTES = 500e6;

/** @type {Record<Table, Map<string, any>>} */
const memory = { asked: new Map(), entries: new Map(), pictures: new Map() };
const news = new EventTarget();
const channel = new BroadcastChannel("overpaint-kept");
channel.onmessage = () => news.dispatchEvent(new Event("change"));

/** @type {Promise<IDBDatabase | null> | null} */
let opened = null;

/** @returns {Promise<IDBDatabase | null>} null: there is none to be had */
function database() {
  opened ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open("overpaint", 1);
      request.onupgradeneeded = () => {
        for (const [table, keyPath] of Object.entries(KEYS)) request.result.createObjectStore(table, { keyPath });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return opened;
}

/**
 * @param {IDBDatabase} db
 * @param {Table} table
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest[]} call
 * @returns {Promise<any[]>}  their results, when all is on the disk
 */
function within(db, table, mode, call) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(table, mode);
    const requests = call(transaction.objectStore(table));
    transaction.oncomplete = () => resolve(requests.map((request) => request.result));
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/**
 * @template {Table} T
 * @param {T} table
 * @returns {Promise<Tables[T][]>}
 */
export async function all(table) {
  const db = await database();
  if (db === null) return [...memory[table].values()];
  return (await within(db, table, "readonly", (kept) => [kept.getAll()]))[0];
}

/**
 * @template {Table} T
 * @param {T} table
 * @param {string} key
 * @returns {Promise<Tables[T] | undefined>}
 */
export async function get(table, key) {
  const db = await database();
  if (db === null) return memory[table].get(key);
  return (await within(db, table, "readonly", (kept) => [kept.get(key)]))[0];
}

/**
 * All of them or none.
 * @template {Table} T
 * @param {T} table
 * @param {...Tables[T]} values
 */
export async function put(table, ...values) {
  const db = await database();
  const keys = /** @type {Record<string, any>[]} */ (values).map((value) => value[KEYS[table]]);
  if (db === null) values.forEach((value, i) => memory[table].set(keys[i], value));
  else {
    const call = (/** @type {IDBObjectStore} */ kept) => values.map((value) => kept.put(value));
    try {
      await within(db, table, "readwrite", call);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
      await trim(0.5); // the disk is full: the older half makes room
      await within(db, table, "readwrite", call);
    }
  }
  changed();
}

/**
 * @param {Table} table
 * @param {string[]} keys
 */
export async function drop(table, keys) {
  const db = await database();
  if (db === null) keys.forEach((key) => memory[table].delete(key));
  else await within(db, table, "readwrite", (kept) => keys.map((key) => kept.delete(key)));
  if (keys.length > 0) changed();
}

/**
 * Hear that something that is kept is another now, in this tab or any.
 * @param {() => void} call
 */
export function onChange(call) {
  news.addEventListener("change", call);
}

function changed() {
  news.dispatchEvent(new Event("change"));
  channel.postMessage("");
}

/** Results, the newest first; those of one click in their order. @returns {Promise<Entry[]>} */
export async function results() {
  const done = (await all("entries")).filter((entry) => entry.result !== null);
  return done.sort((a, b) => b.at - a.at || a.index - b.index);
}

/**
 * The oldest results go, and the pictures that nothing is left of.
 * @param {number} share  of what may be kept
 */
export async function trim(share = 1) {
  const kept = await results();
  const gone = [];
  let bytes = 0;
  for (const [i, entry] of kept.entries()) {
    bytes += bytesOf(entry);
    if (i >= MOST * share || bytes > MOST_BYTES * share) gone.push(entry.id);
  }
  await drop("entries", gone);
  const left = await all("entries");
  const used = new Set([...left, ...(await all("asked"))].map((one) => one.snapshot.picture?.id));
  const unused = (await all("pictures")).filter((picture) => !used.has(picture.id));
  await drop("pictures", unused.map((picture) => picture.id));
}

/** @param {Entry} entry */
function bytesOf({ result, thumb, snapshot }) {
  const blobs = [result, thumb, snapshot.base, snapshot.strokes, ...snapshot.layers.map((layer) => layer.map)];
  return blobs.reduce((sum, blob) => sum + (blob?.size ?? 0), 0);
}
