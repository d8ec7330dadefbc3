/** Files for the disk: a result, with its recipe inside as the server wrote it, and the maps that it was made with. */

import { h } from "./dom.js";
import { strengthOf } from "./fidelity.js";
import { resultBlob } from "./looking.js";
import { viewBitmap } from "./pictures.js";
import { Strokes } from "./strokes.js";

/** @typedef {import("./store.js").Job} Job */

const LONGEST = 40; // characters of a prompt in a name

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @param {Job} job */
export async function downloadResult(job) {
  download(await resultBlob(job), fileName(job));
}

/** As mountains-an-oil-painting-0.6-seed7.png. @param {Job} job */
export function fileName(job) {
  const words = plain(String(job.params.prompt ?? "")).slice(0, LONGEST).replace(/-$/, "");
  return `${[stemOf(job), words, strengthOf(job) ?? "", `seed${job.seed}`].filter(Boolean).join("-")}.png`;
}

/** The name of the picture without its ending. @param {Job} job */
export function stemOf(job) {
  return plain((job.snapshot?.picture?.name ?? "").replace(/\.[^.]*$/, ""));
}

/** Letters and digits of any script, all else as one dash. @param {string} text */
function plain(text) {
  return text.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
}

/** How the files are called that a command for this job needs beside the picture. @param {Job} job */
export function markNames(job) {
  const stem = stemOf(job) || "picture";
  return {
    map: job.snapshot?.base ? `${stem}-map.png` : null,
    layers: (job.snapshot?.layers ?? []).map((_, i) => `${stem}-layer-${i + 1}.png`),
    strokes: job.snapshot?.strokes ? `${stem}-painted.png` : null,
  };
}

/** @param {Job} job */
export async function downloadMaps(job) {
  const { snapshot } = job;
  if (!snapshot) return;
  const names = markNames(job);
  if (snapshot.base && names.map !== null) download(snapshot.base, names.map);
  for (const [i, layer] of snapshot.layers.entries()) download(layer.map, names.layers[i] ?? "layer.png");
  if (snapshot.strokes && snapshot.picture && names.strokes !== null) {
    const painted = await Strokes.fromPng(snapshot.strokes);
    download(await painted.over(await viewBitmap(snapshot.picture)), names.strokes);
  }
}
