/** A question with a few answers, in a dialog. */

import { h } from "./dom.js";
import { words } from "./words.js";

/**
 * @template {string} T
 * @param {string} title
 * @param {string} text
 * @param {Record<T, string>} answers  by what is given back; the first is the one that does something
 * @returns {Promise<T | null>} null: cancelled
 */
export function choose(title, text, answers) {
  return new Promise((resolve) => {
    const buttons = Object.entries(answers).map(([value, label], i) =>
      h("button", { class: i === 0 ? "button primary" : "button", value }, /** @type {string} */ (label)),
    );
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "choose-title", "aria-describedby": "choose-text" },
      h("h2", { id: "choose-title" }, title),
      h("p", { id: "choose-text" }, text),
      h(
        "form",
        { method: "dialog" },
        h("div", { class: "row" }, ...buttons, h("button", { class: "button", value: "", formNoValidate: true }, words.choose.cancel)),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(/** @type {T} */ (dialog.returnValue) || null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A file that a person chooses; null: none. @param {string} accept @returns {Promise<File | null>} */
export function chooseFile(accept) {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", accept });
    input.addEventListener("change", () => resolve(input.files?.[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}
