/**
 * The picture as the noise of a strength leaves it, shown on the stage while the strength is chosen.
 *
 * A slider asks for more pictures than a server makes. So one is under way at a time, and when it has come, what is
 * wanted by then is asked for: nothing between. What is under way is not given up for it, for the server would make it
 * all the same, and the newer one would wait behind those that nobody wants. What has come is kept, so that going back
 * and forth is at once.
 */

import { ApiError, noisedOf } from "./api.js";
import { store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Shown} Shown */
/** @typedef {import("./store.js").Params} Params */

const REST = 16; // milliseconds, one frame, in which moves count as one
const LINGER = 1500; // milliseconds that the noised picture is shown after the last move
const UNSEEN = 2000; // milliseconds after which nobody reads a replaced picture's URL any more
const MOST_KEPT = 48; // pictures, of some hundred kilobytes each

/**
 * What has a say in the noised picture.
 * @param {number} strength
 * @param {Params} params
 * @returns {Record<string, string | number>}
 */
function queryOf(strength, params) {
  /** @type {Record<string, string | number>} */
  const query = { strength, format: "jpeg" }; // a PNG takes longer to write
  for (const name of ["seed", "variation", "size", "fit"]) {
    const value = params[name];
    // a seed that is still to be drawn would be another one each time: the server's own stands for it
    if (value === undefined || value === null || String(value).startsWith("-1")) continue;
    query[name] = value;
  }
  return query;
}

export class NoisedView {
  #told;
  /** @type {Map<string, Blob>} */
  #kept = new Map();
  /** @type {{picture: string, query: Record<string, string | number>, key: string} | null} */
  #wanted = null;
  /** @type {AbortController | null} */
  #request = null;
  #resting = 0;
  #ending = 0;
  #isHeld = false;
  #isPinned = false;
  /** @type {Shown} */
  #before = { what: "picture", job: null };
  /** What is shown now. @type {string | null} */
  #url = null;
  #presented = "";

  /** @param {(news: {isBusy: boolean, wrong: string}) => unknown} told  hears how it goes */
  constructor(told) {
    this.#told = told;
    let picture = store.state.picture?.id;
    store.on(["picture"], (state) => {
      if (state.picture?.id === picture) return;
      picture = state.picture?.id;
      this.#kept.clear();
      this.end();
    });
    store.on(["shown"], ({ shown }) => {
      // someone else shows something else: that is what is wanted now
      if (shown.what !== "noised" && this.#url !== null) this.#forget();
    });
  }

  get isPinned() {
    return this.#isPinned;
  }

  /** Show the picture at a strength, for as long as it is chosen. @param {number} strength */
  show(strength) {
    const { picture, params } = store.state;
    if (picture === null) return;
    const query = queryOf(strength, params);
    this.#wanted = { picture: picture.id, query, key: JSON.stringify([picture.id, query]) };
    const known = this.#kept.get(this.#wanted.key);
    if (known !== undefined) this.#present(this.#wanted.key, known);
    else if (this.#request === null && this.#resting === 0) {
      this.#resting = window.setTimeout(() => this.#fetch(), REST);
    }
    this.#linger();
  }

  /** A finger is on the slider: nothing ends. @param {boolean} isHeld */
  hold(isHeld) {
    this.#isHeld = isHeld;
    this.#linger();
  }

  /**
   * Keep it shown, at this strength and those to come; or no longer.
   * @param {boolean} isPinned
   * @param {number} strength
   */
  pin(isPinned, strength) {
    this.#isPinned = isPinned;
    if (isPinned) this.show(strength);
    else this.end();
  }

  /** Show again what was shown before. */
  end() {
    const { shown, jobs } = store.state;
    this.#forget();
    if (shown.what !== "noised") return;
    const isThere = this.#before.job === null || jobs.some((job) => job.id === this.#before.job);
    store.set({ shown: isThere ? this.#before : { what: "picture", job: null }, noised: null });
  }

  #linger() {
    clearTimeout(this.#ending);
    const isComing = this.#request !== null || this.#resting !== 0;
    if (this.#isHeld || this.#isPinned || isComing || this.#wanted === null) return;
    this.#ending = window.setTimeout(() => this.end(), LINGER);
  }

  /** Ask for what is wanted now, if it has not come already. */
  async #fetch() {
    this.#resting = 0;
    const wanted = this.#wanted;
    if (wanted === null || this.#kept.has(wanted.key)) {
      this.#linger();
      return;
    }
    const request = new AbortController();
    this.#request = request;
    this.#told({ isBusy: true, wrong: "" });
    let wrong = "";
    try {
      const blob = await noisedOf(wanted.picture, wanted.query, request.signal);
      this.#keep(wanted.key, blob);
      // a picture of a moment ago is better than none, but not than the one that is wanted
      if (!request.signal.aborted && this.#presented !== this.#wanted?.key) this.#present(wanted.key, blob);
    } catch (error) {
      if (!(error instanceof ApiError) && !request.signal.aborted) console.error(error);
      wrong = error instanceof ApiError ? error.message : words.errors.unexpected;
    }
    if (request.signal.aborted) return;
    this.#request = null;
    this.#told({ isBusy: false, wrong });
    if (this.#wanted !== null && this.#wanted.key !== wanted.key) void this.#fetch();
    else this.#linger();
  }

  /** @param {string} key @param {Blob} blob */
  #keep(key, blob) {
    this.#kept.set(key, blob);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** @param {string} key @param {Blob} blob */
  #present(key, blob) {
    const { shown } = store.state;
    if (this.#url !== null && this.#presented === key) return;
    if (shown.what !== "noised") this.#before = shown;
    this.#revoke();
    this.#presented = key;
    this.#url = URL.createObjectURL(blob);
    store.set({ noised: this.#url, shown: { what: "noised", job: null } });
  }

  #giveUp() {
    clearTimeout(this.#resting);
    this.#resting = 0;
    this.#request?.abort();
    this.#request = null;
    this.#told({ isBusy: false, wrong: "" });
  }

  #forget() {
    clearTimeout(this.#ending);
    this.#wanted = null;
    this.#isPinned = false;
    this.#giveUp();
    this.#revoke();
  }

  /** The stage may still be reading what is replaced. */
  #revoke() {
    const old = this.#url;
    this.#url = null;
    this.#presented = "";
    if (old !== null) setTimeout(() => URL.revokeObjectURL(old), UNSEEN);
  }
}
