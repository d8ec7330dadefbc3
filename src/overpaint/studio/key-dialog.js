/** The question for the API key, where the server wants one. */

import { onKeyWanted } from "./api.js";
import { fill, h } from "./dom.js";
import { words } from "./words.js";

const dialog = h("dialog", { class: "dialog", "aria-labelledby": "key-title" });
document.body.append(dialog);

/** @param {boolean} wrong @returns {Promise<string>} */
function askPerson(wrong) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", autocomplete: "current-password", required: true, id: "key-input" });
    const form = h(
      "form",
      {
        method: "dialog",
        onsubmit: () => resolve(input.value.trim()),
      },
      h("h2", { id: "key-title" }, words.key.title),
      h("p", {}, wrong ? words.key.wrong : words.key.wanted),
      h("label", { class: "field" }, words.key.label, input),
      h("button", { class: "button primary" }, words.key.send),
    );
    fill(dialog, form);
    // without the key nothing can be done, so that Escape only asks again
    dialog.oncancel = (event) => event.preventDefault();
    dialog.showModal();
    input.focus();
  });
}

onKeyWanted(askPerson);
