/** Everything as it was for an edit: picture, parameters, maps, layers and strokes. */

import { ApiError, addPicture } from "./api.js";
import { forgetStroke } from "./brush.js";
import { choose, chooseFile } from "./choose.js";
import { fromPng } from "./map-png.js";
import { tell } from "./notice.js";
import { show } from "./open.js";
import { idNow, pictureThere, rename, viewBitmap } from "./pictures.js";
import { store } from "./store.js";
import { Strokes } from "./strokes.js";
import { remember } from "./undo.js";
import { words } from "./words.js";

/**
 * @typedef {import("./store.js").Snapshot} Snapshot
 * @typedef {import("./store.js").OpenPicture} OpenPicture
 * @typedef {import("./store.js").Params} Params
 */

/** The restoring that was asked for last: an earlier one that is still under way ends. */
let latest = 0;

/**
 * @param {Snapshot} snapshot
 * @param {Params} [more]  parameters over the snapshot's; null takes one out
 * @returns {Promise<boolean>} whether the picture is there again
 */
export async function restore(snapshot, more = {}) {
  latest += 1;
  const mine = latest;
  const params = Object.fromEntries(Object.entries({ ...snapshot.params, ...more }).filter(([, value]) => value !== null));
  const picture = snapshot.picture === null ? null : await pictureOf(snapshot.picture);
  if (mine !== latest) return false;
  if (picture === undefined) {
    store.set({ params });
    return false;
  }
  const marks = await marksOf(snapshot);
  const strokes = snapshot.strokes && (await Strokes.fromPng(snapshot.strokes));
  if (mine !== latest) return false;
  if (picture !== null && picture.id === store.state.picture?.id) changeMarks(marks, strokes);
  else {
    if (picture === null) store.set({ picture: null });
    else show(picture);
    store.set({ marks, strokes });
  }
  store.set({ params });
  return true;
}

/**
 * On the same picture what was painted can be had back.
 * @param {import("./store.js").Marks} marks
 * @param {Strokes | null} strokes
 */
function changeMarks(marks, strokes) {
  const { marks: marksBefore, strokes: strokesBefore } = store.state;
  const now = { marks, strokes };
  const before = { marks: marksBefore, strokes: strokesBefore };
  store.set(now);
  forgetStroke();
  remember({
    undo: () => store.set(before),
    redo: () => store.set(now),
    bytes: bytesOf(now) + bytesOf(before),
    words: words.restore.step,
  });
}

/** @param {{marks: import("./store.js").Marks, strokes: Strokes | null}} painted */
function bytesOf({ marks, strokes }) {
  const maps = [marks.base, ...marks.layers.map((layer) => layer.map)];
  const ofMaps = maps.reduce((sum, map) => sum + (map?.data.length ?? 0), 0);
  return ofMaps + (strokes === null ? 0 : 4 * strokes.width * strokes.height);
}

/** @param {Snapshot} snapshot @returns {Promise<import("./store.js").Marks>} */
async function marksOf({ base, layers }) {
  const read = layers.map(async ({ prompt, strength, map }, i) => ({ id: `kept-${i + 1}`, prompt, strength, map: await fromPng(map) }));
  return { base: base && (await fromPng(base)), layers: await Promise.all(read), active: "base" };
}

/**
 * @param {NonNullable<Snapshot["picture"]>} kept
 * @returns {Promise<OpenPicture | undefined>} undefined: it is not to be had
 */
async function pictureOf(kept) {
  const open = store.state.picture;
  if (open !== null && open.id === idNow(kept.id)) return open;
  try {
    const there = await pictureThere(kept);
    return { ...there, notes: [], bitmap: await viewBitmap(there) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404) return openedAgain(kept);
    tell(error);
    return undefined;
  }
}

/** @param {NonNullable<Snapshot["picture"]>} kept @returns {Promise<OpenPicture | undefined>} */
async function openedAgain(kept) {
  const { name, width, height } = kept;
  const { title, text, open, otherSize } = words.restore;
  if ((await choose(title, text(name), { open })) === null) return undefined;
  const file = await chooseFile("image/*");
  if (file === null) return undefined;
  const added = await addPicture(file);
  if (added.width !== width || added.height !== height) {
    tell(otherSize(`${width} × ${height}`, `${added.width} × ${added.height}`));
    return undefined;
  }
  await rename(kept, added.id);
  const told = { id: added.id, name: file.name, width, height };
  return { ...told, notes: added.notes, bitmap: await viewBitmap(told) };
}
