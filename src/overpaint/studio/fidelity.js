/** What an edit kept, and how it was made, in words with numbers. */

import { words } from "./words.js";

/** @typedef {import("./store.js").Job} Job */

const SHARES = /** @type {const} */ (["structure", "edges", "detail", "ssim"]);

/** What the result keeps of the picture. @param {Job} job @returns {[string, string][]} name and value */
export function figuresOf({ fidelity }) {
  if (!fidelity) return [];
  const shares = SHARES.filter((name) => typeof fidelity[name] === "number");
  /** @type {[string, string][]} */
  const rows = shares.map((name) => [words.figures[name], words.figures.share(fidelity[name])]);
  if (typeof fidelity.colour === "number") rows.push([words.figures.colour, words.figures.moved(fidelity.colour)]);
  return rows;
}

/** How it was made. @param {Job} job @returns {[string, string][]} */
export function factsOf({ seed, params, facts, t0 }) {
  const names = words.facts;
  const told = facts ?? {};
  /** @type {[string, unknown][]} */
  const rows = [
    [names.seed, seed],
    [names.variation, params.variation],
    [names.strength, strengthOf({ params, facts })],
    [names.found, told.goal && names.goal(told.goal.kept)],
    [names.t0, t0],
    [names.steps, told.steps_run],
    [names.sampler, told.recipe?.params?.sampler],
    [names.size, told.width && `${told.width} × ${told.height}`],
    [names.seconds, told.seconds?.toFixed(1)],
  ];
  return rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [name, String(value)]);
}

/** The strength that a job has, or had, whoever said so. @param {Pick<Job, "params" | "facts">} job @returns {number | null} */
export function strengthOf({ params, facts }) {
  const strength = facts?.recipe?.params?.strength ?? params.strength ?? null;
  return strength === null ? null : Number(strength);
}
