/** Opening a picture: by a file chosen, dropped anywhere or pasted; and a result, so that it is edited in turn. */

import { addPicture, viewOf } from "./api.js";
import { forgetStroke } from "./brush.js";
import { define, h, icon } from "./dom.js";
import { shortcut } from "./keys.js";
import { tell, untell } from "./notice.js";
import { offerRecipe } from "./recipe.js";
import { setParams, store } from "./store.js";
import { forget } from "./undo.js";
import { words } from "./words.js";

const KINDS = "image/*,.heic,.heif,.avif,.jxl,.tif,.tiff";

let latest = 0; // which of several files, opened one after the other, is the one that counts

/**
 * Send a file to the server, and open what it makes of it. Errors are told.
 * @param {Blob} file
 * @param {string} name
 */
export async function openPicture(file, name) {
  const own = (latest += 1);
  document.body.classList.add("waits");
  try {
    const told = await addPicture(file);
    const bitmap = await bitmapOf(told.id);
    if (own !== latest) return;
    untell();
    show({ ...told, name, bitmap });
    if (told.notes.length > 0) tell(told.notes.join(" "));
    await offerRecipe(file, name);
  } catch (error) {
    if (own === latest) tell(error);
  } finally {
    if (own === latest) document.body.classList.remove("waits");
  }
}

/**
 * Edit a result in turn.
 * @param {Blob} blob
 * @param {string} name
 */
export function useAsInput(blob, name) {
  return openPicture(blob, name);
}

/** The server's view of a picture that it has. @param {string} id @returns {Promise<ImageBitmap>} */
export async function bitmapOf(id) {
  return createImageBitmap(await viewOf(id), { colorSpaceConversion: "none" });
}

/** A new picture: nothing is painted on it, and it does not grow. @param {import("./store.js").OpenPicture} picture */
export function show(picture) {
  forget();
  forgetStroke();
  store.set({
    picture,
    marks: { base: null, layers: [], active: "base" },
    strokes: null,
    shown: { what: "picture", job: null },
    noised: null,
  });
  setParams({ extend: null });
}

const input = h("input", { type: "file", accept: KINDS, hidden: true, "aria-label": words.canvas.open.button });
input.addEventListener("change", () => {
  const [file] = input.files ?? [];
  if (file !== undefined) void openPicture(file, file.name);
  input.value = ""; // or the same file could not be chosen twice
});

/** Ask for a file. */
export function chooseFile() {
  input.click();
}

/**
 * The first picture of what was dropped or pasted; or, if none says that it is one, the first file.
 * @param {DataTransfer | null} data
 */
function fileOf(data) {
  const files = [...(data?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

class Open extends HTMLElement {
  #veil = h("div", { class: "drop-veil", hidden: true }, h("p", {}, words.canvas.open.drop));

  connectedCallback() {
    const text = words.canvas.open.button;
    this.append(
      h("button", { type: "button", class: "button", onclick: chooseFile }, icon("open"), text),
      input,
      this.#veil,
    );
    document.addEventListener("dragover", (event) => this.#over(event));
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) this.#veil.hidden = true; // it left the page
    });
    document.addEventListener("drop", (event) => this.#drop(event));
    document.addEventListener("paste", (event) => this.#paste(event));
    shortcut("Ctrl+O", words.canvas.open.button, chooseFile);
  }

  /** @param {DragEvent} event */
  #over(event) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    this.#veil.hidden = false;
  }

  /** @param {DragEvent} event */
  #drop(event) {
    this.#veil.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    const file = fileOf(event.dataTransfer);
    if (file !== null) void openPicture(file, file.name);
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const file = fileOf(event.clipboardData);
    const isText = event.clipboardData?.types.includes("text/plain") ?? false;
    if (file === null || isText) return;
    event.preventDefault();
    void openPicture(file, file.name || words.canvas.open.pasted);
  }
}

define("ov-open", Open);
