/** Recipes inside files: the settings that made a picture, brought back where a person wants that. */

import { ApiError, recipesOf } from "./api.js";
import { fill, h } from "./dom.js";
import { fromPng } from "./map-png.js";
import { tell, telling } from "./notice.js";
import { defaultOf, store } from "./store.js";
import { words } from "./words.js";

/**
 * @typedef {import("./store.js").Params} Params
 * @typedef {import("./store.js").ChangeMap} ChangeMap
 * @typedef {{map_png: string | null}} MapTold
 *
 * @typedef {object} Recipe  as POST /v1/recipes tells it
 * @property {Params} params
 * @property {MapTold | null} [change_map]
 * @property {{prompt: string, strength: number | null, map: MapTold}[]} [layers]
 * @property {{width: number, height: number} | null} [input]
 * @property {{name: string | null}} [model]
 * @property {string[]} notes
 */

/** What every file has that holds a recipe: ours; the key in a PNG, the comment's code and the text that others write. */
const SIGNS = /overpaint|parameters|UNICODE\0|Steps: /i;

const board = h("section", { class: "offer", "aria-label": words.recipe.title, "aria-live": "polite", hidden: true });

/** Files whose settings nobody has to be offered: they are the page's own. @type {WeakSet<Blob>} */
const own = new WeakSet();

/** Do not offer the recipe of this file when it is opened. @param {Blob} file */
export function isOwn(file) {
  own.add(file);
}

/** A file was opened: if it holds a recipe, its settings are offered. @param {Blob} file @param {string} name */
export async function offerRecipe(file, name) {
  close();
  if (own.has(file)) return;
  const [recipe] = await recipesIn(file);
  if (recipe === undefined) return;
  const take = () => {
    close();
    return use(recipe);
  };
  if (!board.isConnected) document.querySelector("ov-notice")?.after(board);
  board.hidden = false;
  fill(
    board,
    h("p", {}, words.recipe.offer(name, String(recipe.params.prompt ?? ""))),
    h("button", { type: "button", class: "button primary", onclick: telling(take) }, words.recipe.take),
    h("button", { type: "button", class: "button", onclick: close }, words.recipe.leave),
  );
}

/** The settings that a file holds, at once. @param {Blob} file @param {string} name */
export async function bringBack(file, name) {
  close();
  const [recipe] = await recipesIn(file);
  if (recipe === undefined) tell(words.recipe.none(name));
  else await use(recipe);
}

function close() {
  board.hidden = true;
  fill(board);
}

/** @param {Blob} file @returns {Promise<Recipe[]>} none: it holds none */
async function recipesIn(file) {
  // most files hold nothing like one, and need not be sent for that
  if (!SIGNS.test(new TextDecoder("latin1").decode(await file.arrayBuffer()))) return [];
  try {
    return await recipesOf(file);
  } catch (error) {
    const none = error instanceof ApiError && [404, 415, 422].includes(error.status);
    if (!none) throw error;
    return [];
  }
}

/** @param {Recipe} recipe */
async function use(recipe) {
  const { picture } = store.state;
  const { input } = recipe;
  const fits = picture !== null && input != null && input.width === picture.width && input.height === picture.height;
  const hasMaps = recipe.change_map != null || (recipe.layers ?? []).length > 0;
  store.set({ params: settingsOf(recipe, fits) });
  if (fits) store.set({ marks: await marksOf(recipe) });
  const notes = [...recipe.notes, ...(hasMaps && !fits ? [words.recipe.otherSize] : [])];
  tell([words.recipe.done, ...notes].join(" "));
}

/**
 * What of a recipe's parameters, which are all there are, is not as it would be anyway.
 * @param {Recipe} recipe
 * @param {boolean} fits  the picture is of the input's size: what is in its pixels holds
 */
function settingsOf({ params: { preset, ...params } }, fits) {
  const known = store.state.server?.parameters ?? {};
  const given = Object.entries(params).filter(([name, value]) => name in known && value !== null);
  store.set({ params: { prompt: "", ...(preset ? { preset } : {}) } }); // what defaultOf then says is this preset's
  const ours = given.filter(([name, value]) => name === "prompt" || String(value) !== String(defaultOf(name)));
  const ofPixels = ["extend", "size", "output_size", "padding"];
  const taken = ours.filter(([name]) => fits || !ofPixels.includes(name));
  return { ...store.state.params, ...Object.fromEntries(taken.filter(([name, value]) => !isSelf(name, value))) };
}

/** A size that comes of the picture's own, and is no wish. @param {string} name @param {Params[string]} value */
function isSelf(name, value) {
  const { picture, params } = store.state;
  const own = picture === null ? "" : `${picture.width}x${picture.height}`;
  return name === "output_size" && value === own && params.extend === undefined;
}

/** @param {Recipe} recipe @returns {Promise<import("./store.js").Marks>} */
async function marksOf({ change_map, layers = [] }) {
  const base = await mapOf(change_map ?? null);
  const read = layers.map(async ({ prompt, strength, map }, i) => ({ id: `recipe-${i + 1}`, prompt, strength, map: await mapOf(map) }));
  const whole = (await Promise.all(read)).filter((layer) => layer.map !== null);
  return { base, layers: /** @type {import("./store.js").Layer[]} */ (whole), active: "base" };
}

/** @param {MapTold | null} told @returns {Promise<ChangeMap | null>} */
async function mapOf(told) {
  const { picture } = store.state;
  if (!told?.map_png || picture === null) return null;
  const bytes = Uint8Array.from(atob(told.map_png), (sign) => sign.charCodeAt(0));
  const map = await fromPng(new Blob([bytes], { type: "image/png" }));
  return map.width === picture.width && map.height === picture.height ? map : null;
}
