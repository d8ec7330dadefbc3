/** What is served and whether it is ready; loads what there is to choose from, and waits for a server that starts. */

import { ApiError, loadServer } from "./api.js";
import { define } from "./dom.js";
import { tell, untell } from "./notice.js";
import { store } from "./store.js";
import { words } from "./words.js";

const AGAIN = 1500; // milliseconds until a server that is not ready is asked again

class Status extends HTMLElement {
  connectedCallback() {
    this.setAttribute("aria-live", "polite");
    this.textContent = words.loading;
    void this.#load();
  }

  async #load() {
    for (let tries = 0; ; tries += 1) {
      try {
        store.set({ server: await loadServer() });
        if (tries > 0) untell();
        this.#show();
        return;
      } catch (error) {
        const waits = error instanceof ApiError && (error.status === 503 || error.status === 0);
        if (!waits) {
          tell(error);
          return;
        }
        if (error.status === 0 && tries === 0) tell(error);
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  }

  #show() {
    const { server } = store.state;
    if (server !== null) this.textContent = `${server.model.id} · ${server.model.device}`;
  }
}

define("ov-status", Status);
