/** What was typed, as a parameter takes it, and what is wrong with it: checked before anything is sent. */

import { ApiError } from "./api.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./store.js").Parameter} Parameter */

const own = words.check;

/**
 * @param {Parameter} parameter
 * @param {string} text
 * @returns {string | number | null} null: nothing was typed, so it is the server's business. What is wrong stays as it
 *   is typed, for the server to refuse: nothing else is ever sent in its place.
 */
export function valueOf({ kind }, text) {
  if (text === "") return null;
  const number = Number(text);
  if (kind === "number") return Number.isFinite(number) ? number : text;
  // what a number cannot hold exactly stays a text: rounded it would be another seed
  return kind === "integer" && Number.isSafeInteger(number) ? number : text;
}

/**
 * @param {Parameter} parameter
 * @param {string} text
 * @returns {string | null} null: nothing
 */
export function problemOf(parameter, text) {
  if (text === "") return null;
  switch (parameter.kind) {
    case "number":
    case "integer":
      return numberProblem(parameter, text);
    case "choice":
      return parameter.choices.includes(text) ? null : own.choice(parameter.choices);
    case "working_size":
      return text === "input" ? null : sizeProblem(text, "input");
    case "output_size":
      return text === "working" ? null : sizeProblem(text, "working");
    case "margins":
      return /^\s*\d+\s*(,\s*\d+\s*){3}$/.test(text) ? null : own.margins;
    default:
      return null; // a kind that is newer than this page: the server knows
  }
}

/** @param {Parameter} parameter @param {string} text */
function numberProblem({ kind, low, high }, text) {
  const number = Number(text);
  const isRight = Number.isFinite(number) && (kind === "number" || /^[+-]?\d+$/.test(text));
  const isWithin = number >= (low ?? -Infinity) && number <= (high ?? Infinity);
  return isRight && isWithin ? null : own.number(kind === "integer", low, high);
}

/** @param {string} text @param {string} word */
function sizeProblem(text, word) {
  return /^[1-9]\d{0,4}[xX][1-9]\d{0,4}$/.test(text) ? null : own.size(word);
}

/**
 * The first thing that is wrong as it is set, of layers and parameters, told as the server would: `tell` shows it at
 * its control.
 * @param {State} state
 * @returns {ApiError | null}
 */
export function wrongIn({ server, params, marks }) {
  const strength = server?.parameters.strength;
  for (const layer of marks.layers) {
    if (strength === undefined || layer.strength === null) continue;
    const problem = problemOf(strength, String(layer.strength));
    if (problem !== null) return new ApiError(422, "invalid_parameter", own.layer(problem), "layers");
  }
  for (const parameter of Object.values(server?.parameters ?? {})) {
    const value = params[parameter.name];
    const problem = value === undefined || value === null ? null : problemOf(parameter, String(value));
    if (problem === null) continue;
    return new ApiError(422, "invalid_parameter", `${parameter.name}: ${problem}`, parameter.name);
  }
  return null;
}
