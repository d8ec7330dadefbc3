/** Text for the clipboard; without TLS a browser may not write there, so it is shown to be copied by hand. */

import { h } from "./dom.js";
import { tell } from "./notice.js";
import { words } from "./words.js";

/**
 * @param {string} text
 * @param {string} done  what to say then
 */
export async function copyText(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    tell(done);
  } catch {
    show(text);
  }
}

/** @param {string} text */
function show(text) {
  const field = h("textarea", { readOnly: true, rows: 8, value: text, "aria-label": words.about.text });
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "copy-title" },
    h("h2", { id: "copy-title" }, words.about.byHand),
    field,
    h("form", { method: "dialog" }, h("button", { class: "button primary" }, words.close)),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  field.select();
}
