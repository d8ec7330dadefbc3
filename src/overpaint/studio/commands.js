/** A job as the command, or the Python, that makes the same picture. */

import { fileName, markNames } from "./download.js";
import { strengthOf } from "./fidelity.js";
import { store } from "./store.js";
import { words } from "./words.js";

/**
 * @typedef {import("./store.js").Job} Job
 * @typedef {[name: string, value: string | number]} Option
 */

/** Where the picture comes from: its file, or the one with the strokes on it. @param {Job} job */
function inputOf(job) {
  return markNames(job).strokes ?? job.snapshot?.picture?.name ?? "picture.png";
}

/** Whether the prompt alone made it. @param {Job} job */
function isGenerated(job) {
  return job.snapshot?.picture === null;
}

/** All parameters but the prompt, in the order in which the server tells them. @param {Job} job @returns {Option[]} */
function optionsOf({ params }) {
  const order = Object.keys(store.state.server?.parameters ?? {});
  const given = Object.entries(params).filter(([name, value]) => name !== "prompt" && value !== null && value !== "");
  const told = /** @type {Option[]} */ (given);
  return told.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
}

/** @returns {string | null} the model, where it is not the one that ships with the package */
function otherModel() {
  const id = store.state.server?.model.id ?? "embedded";
  return id === "embedded" ? null : id;
}

// ---- the command line ------------------------------------------------------------------------------------------------

/** @param {Job} job @returns {string} for a POSIX shell */
export function commandOf(job) {
  const prompt = String(job.params.prompt ?? "");
  const input = inputOf(job);
  const options = optionsOf(job).flatMap(([name, value]) => [`--${name.replaceAll("_", "-")}`, quoted(String(value))]);
  const model = otherModel();
  const all = [...markOptions(job), ...options, ...(model === null ? [] : ["--model", quoted(model)]), "-o", quoted(fileName(job))];
  // what begins with a dash is no option after --
  const texts = (isGenerated(job) ? [prompt] : [input.startsWith("-") ? `./${input}` : input, prompt]).map(quoted);
  const last = prompt.startsWith("-") ? [...all, "--", ...texts] : [...texts, ...all];
  return [...comment(job), ["overpaint", isGenerated(job) ? "generate" : "edit", ...last].join(" "), ""].join("\n");
}

/** @param {Job} job */
function markOptions(job) {
  const { map, layers, strokes } = markNames(job);
  const told = (job.snapshot?.layers ?? []).flatMap((layer, i) => {
    // a prompt that ends like a strength needs one behind it
    const strength = layer.strength ?? (/:\s*[\d.e+-]+\s*$/i.test(`:${layer.prompt}`) ? strengthOf(job) : null);
    return ["--layer", quoted([layers[i], layer.prompt, ...(strength === null ? [] : [strength])].join(":"))];
  });
  return [
    ...(map === null ? [] : ["--map", quoted(map)]),
    ...(strokes === null ? [] : ["--changed-from", quoted(job.snapshot?.picture?.name ?? "picture.png")]),
    ...told,
  ];
}

/** A word as a shell reads it back. @param {string} text */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What has to be there first. @param {Job} job */
function comment(job) {
  const { map, layers, strokes } = markNames(job);
  const files = [map, ...layers, strokes].filter((name) => name !== null);
  return files.length === 0 ? [] : [`# ${words.about.needs(files.join(", "))}`];
}

// ---- Python ----------------------------------------------------------------------------------------------------------

/** @param {Job} job @returns {string} */
export function pythonOf(job) {
  const generated = isGenerated(job);
  const prompt = text(String(job.params.prompt ?? ""));
  const named = optionsOf(job).map(([name, value]) => `${name}=${typeof value === "number" ? value : text(value)}`);
  const marks = generated ? [] : pythonMarks(job);
  const call = [...(generated ? [] : [text(inputOf(job))]), prompt, ...marks, ...named].join(", ");
  const model = otherModel();
  const drawn = markNames(job).strokes !== null && !generated;
  const layered = (job.snapshot?.layers ?? []).length > 0;
  const lines = [
    ...comment(job),
    `from overpaint import ${["Editor", ...(layered ? ["Layer"] : [])].join(", ")}`,
    ...(drawn ? ["from overpaint import decode", "from overpaint.marks import Marks"] : []),
    "",
    `with Editor(${model === null ? "" : text(model)}) as editor:`,
    ...(drawn ? paintedLines(job) : []),
    `    result = editor.${generated ? "generate" : "edit"}(${call})`,
    `    result.save(${text(fileName(job))})`,
    "",
  ];
  return lines.join("\n");
}

/** @param {Job} job */
function pythonMarks(job) {
  const { map, layers, strokes } = markNames(job);
  const told = (job.snapshot?.layers ?? []).map(({ prompt, strength }, i) => {
    return `Layer(${[text(layers[i] ?? ""), text(prompt), ...(strength === null ? [] : [`strength=${strength}`])].join(", ")})`;
  });
  if (strokes !== null) return ["**options", ...(told.length > 0 ? [`layers=[${told.join(", ")}]`] : [])];
  return [...(map === null ? [] : [`change_map=${text(map)}`]), ...(told.length > 0 ? [`layers=[${told.join(", ")}]`] : [])];
}

/** What differs from the picture without its strokes changes, and what the map marks. @param {Job} job */
function paintedLines(job) {
  const { map } = markNames(job);
  const parts = [...(map === null ? [] : [`map=${text(map)}`]), `changed_from=${text(job.snapshot?.picture?.name ?? "")}`];
  return [`    options, notes = Marks(${parts.join(", ")}).of(decode.load(${text(inputOf(job))}))`];
}

/** A text as Python reads it back: JSON's are Python's too. @param {string} value */
function text(value) {
  return JSON.stringify(value);
}
