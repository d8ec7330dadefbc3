/** Pictures of jobs: what they were made of and what came out, as bitmaps; and pictures that the server has forgotten. */

import { ApiError, addPicture, askJson, viewOf } from "./api.js";
import { get, put } from "./kept.js";
import { store } from "./store.js";

/** @typedef {NonNullable<import("./store.js").Snapshot["picture"]>} Picture */

/** The last one that was fetched: comparing asks for the same again and again. */
/** @type {{id: string, bitmap: ImageBitmap} | null} */
let last = null;

/** Ids that the server forgot, and those that the same pictures have now. @type {Map<string, string>} */
const renamed = new Map();

/** The id that a picture has now. @param {string | undefined} id */
export function idNow(id) {
  return id === undefined ? undefined : (renamed.get(id) ?? id);
}

/** @param {Blob} blob @returns {Promise<ImageBitmap>} its numbers as they are */
export function bitmapOf(blob) {
  return createImageBitmap(blob, { colorSpaceConversion: "none" });
}

/**
 * A picture as the server sees it; from this browser where the server has forgotten it.
 * @param {Picture} picture
 * @returns {Promise<ImageBitmap>}
 * @throws {ApiError} 404: it is nowhere any more
 */
export async function viewBitmap({ id }) {
  const open = store.state.picture;
  if (open !== null && open.id === idNow(id)) return open.bitmap;
  if (last?.id !== id || last.bitmap.width === 0) last = { id, bitmap: await bitmapOf(await viewBlob(id)) };
  return last.bitmap;
}

/** @param {string} id */
async function viewBlob(id) {
  const kept = await get("pictures", id);
  return kept?.file ?? viewOf(id);
}

/** Keep a picture in this browser, for the server does not for ever. @param {Picture} picture */
export async function keepPicture({ id, name }) {
  if ((await get("pictures", id)) === undefined) await put("pictures", { id, name, file: await viewOf(id) });
}

/**
 * A picture that the server has: the same, or sent again from what this browser kept of it.
 * @param {Picture} picture
 * @returns {Promise<Picture>}
 * @throws {ApiError} 404: neither has it
 */
export async function pictureThere(picture) {
  const id = renamed.get(picture.id) ?? picture.id;
  try {
    await askJson(`/v1/pictures/${id}`);
    return { ...picture, id };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    return sentAgain(picture, error);
  }
}

/**
 * @param {Picture} picture
 * @param {ApiError} error  what to say if it cannot be
 * @returns {Promise<Picture>}
 */
export async function sentAgain(picture, error) {
  const kept = await get("pictures", picture.id);
  if (kept === undefined) throw error;
  const { id } = await addPicture(kept.file);
  await rename(picture, id);
  const open = store.state.picture;
  if (open?.id === picture.id) store.set({ picture: { ...open, id } });
  return { ...picture, id };
}

/**
 * A picture has another id now, and this browser a copy of it under both.
 * @param {Picture} picture
 * @param {string} id
 */
export async function rename({ id: before, name }, id) {
  renamed.set(before, id);
  const file = await viewOf(id);
  await put("pictures", { id: before, name, file }, { id, name, file });
}
