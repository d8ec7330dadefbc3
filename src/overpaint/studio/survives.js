/** What a strength does to a picture, in words: by the server's bands, and by what it says that survives the noise. */

import { survivalAt } from "./api.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Band} Band */
/** @typedef {import("./store.js").Survival} Survival */

/** @type {Map<string, Promise<Survival>>} */
const asked = new Map();

/**
 * @param {number} strength  above 0, for at 0 there is no noise
 * @returns {Promise<Survival>}
 */
export function survivalOf(strength) {
  const key = strength.toFixed(3);
  let answer = asked.get(key);
  if (answer === undefined) {
    answer = survivalAt(Number(key));
    asked.set(key, answer);
    answer.catch(() => asked.delete(key));
  }
  return answer;
}

/**
 * The band that a strength lies in; where two meet it is the upper one.
 * @param {readonly Band[]} bands  from low to high
 * @param {number} strength
 * @returns {Band | null} null: it lies beside them all
 */
export function bandAt(bands, strength) {
  return bands.findLast((band) => band.low <= strength && strength <= band.high) ?? null;
}

/**
 * @param {readonly Band[]} bands
 * @param {number} strength
 * @returns {string}
 */
export function bandWords(bands, strength) {
  if (strength === 0) return words.strength.atNone;
  if (strength === 1) return words.strength.atAll;
  const band = bandAt(bands, strength);
  if (band !== null) return words.strength.band(band);
  const below = bands.findLast((one) => one.high < strength);
  const above = bands.find((one) => one.low > strength);
  if (below !== undefined && above !== undefined) return words.strength.between(below, above);
  return above === undefined ? "" : words.strength.under(above);
}

/** @param {Survival} survival @returns {string} */
export function survivalWords({ words: left, smallest_feature: smallest }) {
  return words.strength.survives(left, smallest === null ? null : Math.round(smallest));
}
