/** The sheet of keyboard shortcuts. */

import { define, fill, h, icon } from "./dom.js";
import { shortcut, shortcuts } from "./keys.js";
import { words } from "./words.js";

class Help extends HTMLElement {
  connectedCallback() {
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "help-title" });
    const open = () => {
      const rows = shortcuts().map(({ combo, what }) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, combo)), h("td", {}, what)));
      fill(
        dialog,
        h("h2", { id: "help-title" }, words.help.title),
        h("p", {}, words.help.and),
        h("table", { class: "sheet" }, h("tbody", {}, ...rows)),
        h("form", { method: "dialog" }, h("button", { class: "button primary" }, words.close)),
      );
      dialog.showModal();
      dialog.scrollTop = 0; // the focus went to the button at its end
    };
    this.append(
      h("button", { type: "button", class: "quiet", title: words.help.open, "aria-label": words.help.open, onclick: open }, icon("help")),
      dialog,
    );
    shortcut("?", words.help.open, open);
  }
}

define("ov-help", Help);
