/** What the result shows: the prompt, what it should not show, and a draft of what is in the picture. */

import { describe } from "./api.js";
import { define, fill, h, icon } from "./dom.js";
import { telling } from "./notice.js";
import { setParams, store } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {{name: string, probability: number, sure: boolean, words: string | null}} Part */
/** @typedef {{prompt: string | null, sound: number, parts: Record<string, Part>}} Draft */

const own = words.prompt;

/** The server's advice, in which *this* is stressed. @param {string} advice */
function stressed(advice) {
  return advice.split("*").map((part, i) => (i % 2 === 1 ? h("em", {}, part) : part));
}

/** @param {HTMLTextAreaElement} field @param {string} text */
function put(field, text) {
  if (field.value !== text) field.value = text; // setting it moves the caret
}

class PromptPanel extends HTMLElement {
  #prompt = h("textarea", {
    id: "ov-prompt",
    rows: 3,
    "aria-describedby": "ov-prompt-hint",
    placeholder: own.placeholder,
  });
  #negative = h("textarea", { id: "ov-negative", rows: 2, "aria-describedby": "ov-negative-hint" });
  #hint = h("p", { id: "ov-prompt-hint", class: "hint" });
  #describe = h(
    "button",
    { type: "button", class: "button small", "aria-describedby": "ov-describe-hint" },
    icon("words"),
    own.describe,
  );
  #describeHint = h("span", { id: "ov-describe-hint", class: "hint" });
  #offer = h("div", { class: "draft", role: "status" });

  connectedCallback() {
    this.#prompt.addEventListener("input", () => setParams({ prompt: this.#prompt.value }));
    this.#negative.addEventListener("input", () => setParams({ negative_prompt: this.#negative.value || null }));
    this.#describe.addEventListener("click", telling(() => this.#draft()));
    const negativeHint = h("p", { class: "hint", id: "ov-negative-hint" });
    fill(
      this,
      h(
        "div",
        { class: "stack" },
        h(
          "div",
          { class: "field", "data-param": "prompt" },
          h("label", { htmlFor: "ov-prompt", class: "title" }, own.title),
          this.#prompt,
        ),
        this.#hint,
        h("div", { class: "row" }, this.#describe, this.#describeHint),
        this.#offer,
        h(
          "details",
          { class: "small-fold" },
          h("summary", {}, own.negativeFold),
          h(
            "div",
            { class: "field", "data-param": "negative_prompt" },
            h("label", { htmlFor: "ov-negative" }, own.negative),
            this.#negative,
            negativeHint,
          ),
        ),
      ),
    );
    store.on(["server"], ({ server }) => {
      fill(this.#hint, ...stressed(server?.advice ?? ""));
      negativeHint.textContent = server?.parameters.negative_prompt?.help ?? "";
    });
    store.on(["params", "server"], (state) => this.#show(state));
    this.#followPicture();
  }

  #followPicture() {
    let shown = store.state.picture?.id;
    store.on(["picture"], ({ picture }) => {
      this.#describe.disabled = picture === null;
      this.#describeHint.textContent = picture === null ? own.describeNot : "";
      if (picture?.id !== shown) fill(this.#offer); // a draft of another picture
      shown = picture?.id;
    });
  }

  /** @param {State} state */
  #show({ params, server }) {
    put(this.#prompt, String(params.prompt ?? ""));
    put(this.#negative, String(params.negative_prompt ?? ""));
    const usual = server?.model.defaults.negative_prompt;
    this.#negative.placeholder = typeof usual === "string" ? usual : "";
  }

  async #draft() {
    const { picture } = store.state;
    if (picture === null || this.#describe.getAttribute("aria-busy") === "true") return;
    this.#describe.setAttribute("aria-busy", "true");
    this.#describeHint.textContent = own.describing;
    try {
      /** @type {Draft} */
      const draft = await describe(picture.id);
      if (store.state.picture?.id === picture.id) this.#propose(draft);
    } finally {
      this.#describe.removeAttribute("aria-busy");
      this.#describeHint.textContent = "";
    }
  }

  /**
   * Into an empty prompt at once; what was written is only added to, or replaced, if that is wanted.
   * @param {Draft} draft
   */
  #propose(draft) {
    const text = draft.prompt;
    const written = this.#prompt.value.trim();
    if (text === null) this.#tell(draft, own.noDraft(draft.sound), []);
    else if (written === "") this.#put(text, draft);
    else {
      this.#tell(draft, own.drafted(text), [
        this.#button(own.add, () => this.#put(own.joined(written, text), draft)),
        this.#button(own.replace, () => this.#put(text, draft)),
      ]);
    }
  }

  /** @param {string} text @param {Draft} draft */
  #put(text, draft) {
    const before = this.#prompt.value;
    setParams({ prompt: text });
    const undo = this.#button(own.undo, () => {
      setParams({ prompt: before });
      fill(this.#offer);
      this.#prompt.focus();
    });
    this.#tell(draft, own.filled, [undo]);
    this.#prompt.focus();
  }

  /** @param {string} label @param {() => unknown} onclick */
  #button(label, onclick) {
    return h("button", { type: "button", class: "button small", onclick }, label);
  }

  /**
   * What was found, how sure that is, and what to do with it.
   * @param {Draft} draft
   * @param {string} text
   * @param {HTMLElement[]} buttons
   */
  #tell(draft, text, buttons) {
    const parts = Object.entries(draft.parts);
    const sure = parts.filter(([, part]) => part.sure).map(([head, part]) => own.part(head, part));
    const unsure = parts.filter(([, part]) => !part.sure).map(([head, part]) => own.part(head, part));
    const close = this.#button("×", () => {
      fill(this.#offer);
      this.#describe.focus();
    });
    close.className = "quiet small";
    close.setAttribute("aria-label", own.closeDraft);
    fill(
      this.#offer,
      h("div", { class: "draft-head" }, h("p", {}, text), close),
      buttons.length > 0 && h("div", { class: "row" }, ...buttons),
      h(
        "details",
        { class: "small-fold" },
        h("summary", {}, own.found),
        sure.length > 0 && h("p", { class: "hint figures" }, own.sure(sure)),
        unsure.length > 0 && h("p", { class: "hint figures" }, own.unsure(unsure)),
        h("p", { class: "hint" }, own.byWhom(draft.sound)),
      ),
    );
  }
}

define("ov-prompt", PromptPanel);
