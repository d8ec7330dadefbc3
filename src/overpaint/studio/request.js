/** From what the page shows to what the server is asked for: a snapshot of it, and the form that is sent. */

import { formOf } from "./api.js";
import { toPng } from "./map-png.js";
import { viewBitmap } from "./pictures.js";
import { store } from "./store.js";
import { Strokes } from "./strokes.js";

/**
 * @typedef {import("./store.js").Snapshot} Snapshot
 * @typedef {import("./store.js").Params} Params
 * @typedef {import("./store.js").ChangeMap} ChangeMap
 */

/** What means nothing where the prompt alone makes a picture. */
const OF_PICTURES = ["strength", "keep", "keep_measure", "detail", "extend", "fill", "region", "padding", "blend", "match"];

/** All that an edit is asked for with, as it is now. @returns {Promise<Snapshot>} */
export async function snapshot() {
  const { picture, params, marks, strokes } = store.state;
  if (picture === null) return { picture: null, params: { ...params }, base: null, layers: [], strokes: null };
  const { id, name, width, height } = picture;
  // layers and maps as they are at this moment: painting goes on while they are encoded
  const base = mapOf(marks.base);
  const layers = marks.layers.filter((layer) => !layer.map.isEmpty()).map((layer) => ({ ...layer, map: layer.map.clone() }));
  const painted = strokes === null || strokes.isEmpty() ? null : strokes.toPng();
  return {
    picture: { id, name, width, height },
    params: { ...params },
    base: base && (await toPng(base)),
    layers: await Promise.all(
      layers.map(async ({ prompt, strength, map }) => ({ prompt, strength, map: await toPng(map) })),
    ),
    strokes: await painted,
  };
}

/** A map with nothing on it marks nothing, as none at all. @param {ChangeMap | null} map */
function mapOf(map) {
  return map === null || map.isEmpty() ? null : map.clone();
}

/**
 * The form of an edit.
 * @param {Snapshot} asked
 * @param {Record<string, unknown>} [extra]  more fields; null takes one of the parameters out
 * @returns {Promise<FormData>}
 */
export async function editForm(asked, extra = {}) {
  const given = Object.entries(asked.params).filter(([name, value]) => goesAlong(asked, name, value));
  // on its way a form turns the ends of lines into others, JSON does not
  const lined = given.filter(([, value]) => String(value).includes("\n"));
  const plain = given.filter((one) => !lined.includes(one));
  return formOf({
    ...Object.fromEntries(plain),
    params: lined.length > 0 ? Object.fromEntries(lined) : null,
    ...(await pictureParts(asked)),
    map: asked.base,
    ...layerParts(asked),
    fidelity: asked.picture === null ? null : true,
    ...extra,
  });
}

/**
 * @param {Snapshot} asked
 * @param {string} name
 * @param {Params[string]} value
 */
function goesAlong({ picture }, name, value) {
  if (value === null || (value === "" && name !== "prompt")) return false;
  return picture !== null || !OF_PICTURES.includes(name);
}

/**
 * The picture by its id; with strokes the picture that they lie on, and the one without them, so that what differs is
 * what changes. Both come from the same pixels: of a picture with 16 bits the server's own differ from these everywhere.
 * @param {Snapshot} asked
 */
async function pictureParts({ picture, strokes }) {
  if (picture === null) return {};
  if (strokes === null) return { image_id: picture.id };
  const bitmap = await viewBitmap(picture);
  const painted = await Strokes.fromPng(strokes);
  const bare = new Strokes(picture.width, picture.height);
  return { image: await painted.over(bitmap), changed_from: await bare.over(bitmap) };
}

/** @param {Snapshot} asked */
function layerParts({ layers }) {
  if (layers.length === 0) return {};
  const named = layers.map((layer, i) => ({ ...layer, part: `layer_${i + 1}` }));
  const told = named.map(({ prompt, strength, part }) => ({ prompt, ...(strength === null ? {} : { strength }), map_part: part }));
  return { layers: told, ...Object.fromEntries(named.map(({ part, map }) => [part, map])) };
}
