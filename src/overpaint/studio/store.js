/**
 * What the page knows, in one place: components read `store.state`, change it by `store.set`, and hear of changes by
 * `store.on`. Marks and strokes are large and change with every stroke, so they are changed in place, and whoever does
 * that says so by `store.touch`.
 *
 * @typedef {import("./map.js").ChangeMap} ChangeMap
 * @typedef {import("./strokes.js").Strokes} Strokes
 *
 * @typedef {object} Parameter  a field of an edit, as GET /v1/parameters tells it
 * @property {string} name
 * @property {string} kind
 * @property {string} help
 * @property {number | null} low
 * @property {number | null} high
 * @property {string[]} choices
 * @property {unknown} default
 *
 * @typedef {object} Preset  as GET /v1/presets tells it
 * @property {string} name
 * @property {string} use
 * @property {number} strength
 * @property {[number, number]} range
 * @property {number} detail
 * @property {boolean} keeps_structure
 * @property {string} example
 *
 * @typedef {{low: number, high: number, use: string, preservation: string}} Band
 * @typedef {{name: string, calls_a_step: number, noisy: boolean, words: string}} Sampler
 * @typedef {{strength: number, t: number, signal: number, words: string, smallest_feature: number | null}} Survival
 * @typedef {{id: string, native_size: number, largest_area: number, domain: string, device: string,
 *     defaults: Record<string, unknown>}} Model
 *
 * @typedef {object} Server  what there is to choose from; loaded once
 * @property {Model} model
 * @property {Preset[]} presets
 * @property {Band[]} bands
 * @property {string} advice  what a prompt should say
 * @property {Sampler[]} samplers
 * @property {string[]} schedules
 * @property {Record<string, Parameter>} parameters  by name
 *
 * @typedef {object} OpenPicture
 * @property {string} id  of POST /v1/pictures
 * @property {number} width  upright, in pixels: what all coordinates count on
 * @property {number} height
 * @property {string} name  of the file, or what it came from
 * @property {string[]} notes
 * @property {ImageBitmap} bitmap  the server's view of it: upright, sRGB, 8 bits
 *
 * @typedef {object} Layer  a region with a prompt of its own
 * @property {string} id
 * @property {string} prompt
 * @property {number | null} strength  null: the edit's own
 * @property {ChangeMap} map
 *
 * @typedef {object} Marks
 * @property {ChangeMap | null} base  where to change; null: everywhere
 * @property {Layer[]} layers
 * @property {string} active  "base" or the id of the layer that is painted on
 *
 * @typedef {"pan" | "brush" | "eraser" | "box" | "gradient" | "fill" | "select" | "colour"} ToolName
 * @typedef {object} Tool
 * @property {ToolName} name
 * @property {number} size  diameter in the picture's pixels
 * @property {number} hardness  0 to 1: from where on towards its rim a stroke fades
 * @property {number} strength  0 to 1: how much of the edit's strength a stroke allows
 * @property {string} colour  of the colour brush, as #rrggbb
 *
 * @typedef {Record<string, string | number | null>} Params  what was set, by the API's names
 *
 * @typedef {object} Snapshot  all that an edit was asked for with, to come back to
 * @property {{id: string, name: string, width: number, height: number} | null} picture
 * @property {Params} params
 * @property {Blob | null} base  the base map as a grey PNG
 * @property {{prompt: string, strength: number | null, map: Blob}[]} layers
 * @property {Blob | null} strokes  the colour strokes as a PNG with alpha
 *
 * @typedef {object} Job  as the API tells it (docs/server.md), with what the page adds
 * @property {string} id
 * @property {"queued" | "running" | "done" | "failed" | "cancelled"} state
 * @property {number} created  seconds
 * @property {number | null} [place]
 * @property {number | null} [step]
 * @property {number | null} [steps]
 * @property {number | null} [eta]  seconds
 * @property {number} seed
 * @property {number | null} [t0]
 * @property {string | null} [sweep]
 * @property {Params} params
 * @property {string[]} warnings
 * @property {Record<string, any> | null} [facts]
 * @property {Record<string, any> | null} [fidelity]
 * @property {{code: string, message: string, param: string | null} | null} [error]
 * @property {string | null} [preview]  a data URL of what the result would be now
 * @property {string | null} [image]  an object URL of the result, once it is fetched
 * @property {Snapshot | null} [snapshot]
 *
 * @typedef {object} Shown  what the stage shows
 * @property {"picture" | "noised" | "result" | "compare" | "difference"} what
 * @property {string | null} job
 *
 * @typedef {object} State
 * @property {Server | null} server
 * @property {OpenPicture | null} picture
 * @property {Params} params
 * @property {Marks} marks
 * @property {Strokes | null} strokes  null: none were painted
 * @property {Tool} tool
 * @property {{colour: string, opacity: number, shown: boolean}} overlay
 * @property {Shown} shown
 * @property {string | null} noised  an object URL of the picture noised to the strength that is being chosen
 * @property {Job[]} jobs  newest first: those of this page, and those found again
 */

/** @typedef {keyof State} Field */

/** @returns {State} */
function beginning() {
  return {
    server: null,
    picture: null,
    params: { prompt: "" },
    marks: { base: null, layers: [], active: "base" },
    strokes: null,
    tool: { name: "brush", size: 40, hardness: 0.8, strength: 1, colour: "#3a6ea5" },
    overlay: { colour: "#e0218a", opacity: 0.5, shown: true },
    shown: { what: "picture", job: null },
    noised: null,
    jobs: [],
  };
}

class Store {
  /** @type {State} */
  #state = beginning();
  /** @type {Set<{fields: readonly Field[], call: (state: State) => void}>} */
  #listeners = new Set();

  /** @returns {Readonly<State>} */
  get state() {
    return this.#state;
  }

  /**
   * Change fields, and tell who listens to one of them.
   * @param {Partial<State>} changes
   */
  set(changes) {
    this.#state = { ...this.#state, ...changes };
    this.#tell(/** @type {Field[]} */ (Object.keys(changes)));
  }

  /**
   * Something inside these fields was changed in place.
   * @param {...Field} fields
   */
  touch(...fields) {
    this.#tell(fields);
  }

  /**
   * Hear of changes; called once at once, so that showing and showing anew are one.
   * @param {readonly Field[]} fields
   * @param {(state: State) => void} call
   * @returns {() => void} ends it
   */
  on(fields, call) {
    const listener = { fields, call };
    this.#listeners.add(listener);
    call(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** @param {readonly Field[]} fields */
  #tell(fields) {
    for (const { fields: wanted, call } of [...this.#listeners]) {
      if (wanted.some((field) => fields.includes(field))) call(this.#state);
    }
  }
}

export const store = new Store();

/**
 * Set parameters; null or undefined leaves one to the server again.
 * @param {Record<string, string | number | null | undefined>} changes
 */
export function setParams(changes) {
  const params = { ...store.state.params };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined) delete params[name];
    else params[name] = value;
  }
  store.set({ params });
}

/**
 * What a parameter comes to where nothing is set: the preset's, the model's, or the server's own.
 * @param {string} name
 * @returns {unknown}
 */
export function defaultOf(name) {
  const { server, params } = store.state;
  if (server === null) return null;
  const preset = server.presets.find((one) => one.name === params.preset);
  if (preset !== undefined && (name === "strength" || name === "detail")) return preset[name];
  return server.model.defaults[name] ?? server.parameters[name]?.default ?? null;
}
