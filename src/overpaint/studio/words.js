/** All texts that the page shows, in one place. What the server says (help, names, errors) comes from the server. */

export const words = {
  title: "Overpaint",
  loading: "The model is being loaded …",
  ready: "Ready",
  close: "Close",

  errors: {
    unreachable: "The server cannot be reached. Your work is kept here; it goes on when the server is back.",
    /** @param {number} status */
    status: (status) => `The server answered with ${status} and no reason.`,
    unexpected: "Something in this page went wrong. Your picture and your edits are still there.",
  },

  key: {
    title: "API key",
    wanted: "This server wants an API key. It is kept for this tab alone.",
    wrong: "The server does not know this key.",
    label: "Key",
    send: "Use it",
  },

  help: {
    title: "Keyboard",
    open: "Help",
    and: "Everything can be done by keyboard: Tab goes from control to control, arrows move sliders and the picture.",
  },

  // ---- canvas: opening, stage, tools ---------------------------------------------------------------------------------

  canvas: {
    open: {
      button: "Open",
      drop: "Drop the picture anywhere",
      pasted: "Pasted picture",
    },
    empty: {
      drop: "Drop a picture here, or paste one",
      open: "Open a picture",
      kinds: "JPEG, PNG, WebP, AVIF, HEIC, TIFF …",
    },
    label: {
      nothing: "No picture is open",
      /** @param {string} name @param {number} strength */
      noised: (name, strength) => `${name}, as noise of strength ${strength.toFixed(2)} leaves it`,
      /** @param {string} name @param {number} width @param {number} height @param {boolean} isMarked @param {number} layers */
      picture: (name, width, height, isMarked, layers) =>
        [
          `${name}, ${width} by ${height} pixels`,
          isMarked ? "part of it is marked to change" : "all of it changes",
          layers === 0 ? "" : layers === 1 ? "1 region" : `${layers} regions`,
        ]
          .filter(Boolean)
          .join("; "),
    },
    /** @param {number} width @param {number} height @param {number} scale */
    note: (width, height, scale) => `${width} × ${height} · ${scale < 0.1 ? (100 * scale).toFixed(1) : Math.round(100 * scale)} %`,
    keys:
      "Arrows move the picture, plus and minus zoom, 0 fits it. Enter shows a pen that arrows move, Shift in single pixels; " +
      "Enter puts it down and lifts it, Alt and Enter takes away, Escape ends it.",
    view: { nearer: "Zoom in", farther: "Zoom out", fit: "Fit the picture", full: "Full size" },
    undo: "Undo",
    redo: "Redo",
    /** What was done, for undo. */
    did: {
      brush: "brush stroke",
      erase: "eraser stroke",
      colour: "colour stroke",
      eraseColour: "erased colour",
      box: "box",
      gradient: "gradient",
      fill: "fill",
      select: "selection",
      fillAll: "fill all",
      invert: "invert",
      grow: "grow",
      shrink: "shrink",
      feather: "feather",
      clear: "clear the map",
      clearColour: "clear all colour",
    },
    tools: {
      label: "Tools",
      names: {
        pan: "Move the view",
        brush: "Brush",
        eraser: "Eraser",
        box: "Box",
        gradient: "Gradient",
        fill: "Fill",
        select: "Smart select",
        colour: "Colour brush",
      },
      hints: {
        pan: "Drag to move. Space does it with any tool; the wheel zooms.",
        brush: "Paint what may change. Alt takes away, Shift draws a straight line from the last stroke.",
        eraser: "Paint what is kept.",
        eraserColour: "Takes colour away, for colour was painted last.",
        box: "Drag a box that may change. Alt takes away, Shift makes it square.",
        gradient: "Drag from where it changes most to where it is kept. Alt takes away.",
        fill: "Click an enclosed area. Alt empties it.",
        select: "Click a thing: what looks like one with it is marked. Alt takes away.",
        colour: "Paint colours for the model to work out. Alt takes them away.",
      },
      size: "Size",
      hardness: "Hardness",
      strength: "Strength",
      colour: "Colour",
      smaller: "Smaller brush",
      larger: "Larger brush",
      fillAll: "Mark all",
      invert: "Invert the map",
      clear: "Clear the map: everything changes",
      clearColour: "Clear all colour",
      by: "by",
      amount: "Pixels to grow, shrink or feather by",
      pixels: "pixels",
      grow: "Grow",
      shrink: "Shrink",
      feather: "Feather",
      overlay: "Show the map",
      overlayColour: "Colour of the map",
      opacity: "Opacity of the map",
    },
    extend: {
      left: "Extend to the left",
      top: "Extend upwards",
      right: "Extend to the right",
      bottom: "Extend downwards",
    },
    /** @param {number} count */
    pixels: (count) => (count === 1 ? "1 pixel" : `${count} pixels`),
    /** @param {number} count */
    pixelsShort: (count) => `${count} px`,
  },

  // ---- panel: prompt, presets, strength, seed, all other settings, layers -------------------------------------------

  /** Of buttons that leave a setting to the server again. */
  toDefault: "Back to default",

  prompt: {
    title: "Prompt",
    placeholder: "What the result shows",
    negativeFold: "What it should not show",
    negative: "Negative prompt",
    describe: "Describe the picture",
    describing: "Looking at it …",
    describeNot: "Open a picture first.",
    /** @param {string} text */
    drafted: (text) => `In the picture: “${text}”`,
    filled: "A draft of what is in the picture. Add what you want it to become.",
    /** @param {number} sound */
    noDraft: (sound) =>
      sound < 0.5
        ? `No draft: to the classifier it looks like no landscape, or broken (intact: ${percent(sound)}).`
        : "No draft: it is sure of nothing that would name the picture.",
    add: "Add to the prompt",
    replace: "Replace the prompt",
    undo: "Take it back",
    closeDraft: "Close the draft",
    /** @param {string} written @param {string} text */
    joined: (written, text) => `${written.replace(/[,.;\s]+$/, "")}, ${text}`,
    found: "What was found, and how sure that is",
    /** @param {string} head @param {{name: string, probability: number}} part */
    part: (head, { name, probability }) => `${head}: ${name} ${percent(probability)}`.replaceAll(" ", "\u00a0"),
    /** @param {string[]} parts */
    sure: (parts) => `Sure: ${parts.join(" · ")}`,
    /** @param {string[]} parts */
    unsure: (parts) => `Not sure, so left out: ${parts.join(" · ")}`,
    /** @param {number} sound */
    byWhom: (sound) => `By a small classifier of landscapes, which can be wrong. The picture looks intact to it: ${percent(sound)}.`,
  },

  presets: {
    title: "Purpose",
    /** @type {Record<string, string>} */
    names: {
      style: "Style",
      sketch: "Sketch",
      enhance: "Enhance",
      scene: "Scene",
      tweak: "Tweak",
      remove: "Remove",
      replace: "Replace",
      add: "Add",
      repair: "Repair",
      extend: "Extend",
    },
    none: "A purpose brings the strength and the detail that suit it. Click it again to leave it.",
    /** @param {string} use */
    use: (use) => sentence(use),
    /** @param {string} example */
    example: (example) => `“${example}”`,
    take: "Use example",
    takeTitle: "Put it into the prompt",
    takeNot: "The prompt is written already",
  },

  strength: {
    title: "How much may change",
    byStrength: "Strength",
    strength: "Strength",
    low: "the picture itself",
    high: "a new picture",
    eye: "Keep showing what the noise leaves",
    idle: "No picture is open: the prompt alone makes one, and strength means nothing.",
    atNone: "Returns the picture itself.",
    atAll: "Ignores the picture.",
    leftAll: "Nothing is changed.",
    leftNone: "A new one comes from the prompt alone.",
    /** @param {{low: number, high: number, use: string, preservation: string}} band */
    band: ({ low, high, use, preservation }) => `${low} to ${high}: ${use}, content preserved: ${preservation}`,
    /** @param {{high: number, use: string}} below @param {{low: number, use: string}} above */
    between: (below, above) => `${below.high} to ${above.low}: between “${below.use}” and “${above.use}”`,
    /** @param {{low: number, use: string}} above */
    under: (above) => `Below ${above.low}: less than “${above.use}”`,
    /** @param {string} left @param {number | null} smallest */
    survives: (left, smallest) =>
      smallest === null
        ? `What survives: ${left}.`
        : `What survives: ${left}; the smallest feature has about ${smallest} px at the working size.`,
    /** @param {string} name @param {[number, number]} range */
    works: (name, [low, high]) => `“${name}” works from ${low} to ${high}.`,
    /** @param {string} name @param {[number, number]} range */
    beyond: (name, [low, high]) => `“${name}” works from ${low} to ${high}: here the picture may be lost.`,
    /** @param {string} name @param {[number, number]} range */
    below: (name, [low, high]) => `“${name}” works from ${low} to ${high}: here too little may change.`,
    /** @param {boolean} hasPreset @param {number} value */
    reset: (hasPreset, value) => (hasPreset ? `As the preset has it (${value})` : `Back to ${value}`),
    /** @param {string} why */
    noNoised: (why) => `Cannot show what the noise leaves: ${why}`,
    detail: "Detail",
    detailBack: "Detail: back to default",
    detailHint: "Gives the picture's own fine structure back, where shapes stay as they are. A new style wants none.",
  },

  keep: {
    which: "How it is said",
    mode: "Keep at least",
    label: "Keep at least",
    hint: "The server finds the strength whose result keeps this much, by trying several; that takes longer.",
    measure: "Measured by",
    /** @type {Record<string, string>} */
    measures: { ssim: "likeness (SSIM)", edges: "edges", structure: "structure" },
    /** @type {Record<string, string>} */
    measureHints: {
      ssim: "Structural similarity: contrast and texture count too.",
      edges: "Are the edges where they were, whatever lies between them?",
      structure: "Are the shapes where they were? Brightness and contrast do not count.",
    },
  },

  seed: {
    label: "Seed",
    placeholder: "a new one each time",
    dice: "Draw a seed",
    lock: "Keep the last result's seed",
    variation: "Variation",
    variationDice: "Draw another variation",
    variationHint: "Off. At 0.1 to 0.3: something close by.",
    off: "off",
    /** @param {number} seed */
    towards: (seed) => `Towards the noise of seed ${seed}.`,
    needsSeed: "Without a seed of your own it varies something new each time.",
  },

  /** What is wrong with what was typed. */
  check: {
    /** @param {boolean} isWhole @param {number | null} low @param {number | null} high */
    number: (isWhole, low, high) => `Must be a ${isWhole ? "whole " : ""}number${rangeOf(low, high)}.`,
    /** @param {string[]} choices */
    choice: (choices) => `Must be one of ${choices.join(", ")}.`,
    /** @param {string} word */
    size: (word) => `Must be WIDTHxHEIGHT, as 512x384, or “${word}”.`,
    /** @param {string} problem */
    layer: (problem) => `The strength of a region: ${problem}`,
    margins: "Must be LEFT,TOP,RIGHT,BOTTOM in pixels, as 0,0,128,0.",
  },

  advanced: {
    title: "All settings",
    hint: "What is left alone is what the field shows in grey.",
    model: "How the model works",
    size: "Size of the picture",
    map: "With marks",
    other: "More",
    automatic: "automatic",
    asPreset: "as the preset has it",
    /** @type {Record<string, string>} */
    names: { guidance_scale: "Guidance", output_size: "Result's size", size: "Working size", fit: "Fitted by" },
    /** @param {string} name */
    plain: (name) => sentence(name.replaceAll("_", " ")).replace(/\.$/, ""),
    /** @param {string} label */
    back: (label) => `${label}: back to default`,
    /** @param {string} value */
    byDefault: (value) => `${value} (default)`,
    /** @param {number} count */
    set: (count) => `${count} set`,
    /** @param {{words: string, calls_a_step: number, noisy: boolean}} sampler */
    sampler: ({ words: said, calls_a_step: calls, noisy }) =>
      [said, calls > 1 ? `${calls} network calls a step` : "", noisy ? "draws new noise at each step" : ""].filter(Boolean).join("; "),
  },

  layers: {
    title: "Where to change",
    which: "What is painted on",
    base: "Marked part",
    everywhere: "Nothing is marked: all of it may change.",
    marked: "Only what is marked changes.",
    nothing: "The marks are empty: nothing changes. Clear them to change all of it.",
    noPicture: "Open a picture to mark parts of it.",
    clear: "Clear",
    clearName: "Clear the marked part",
    add: "Region",
    addName: "Add a region",
    hint: "A region has a prompt of its own: add one, paint it, say what is there.",
    /** @param {number} number */
    region: (number) => `Region ${number}`,
    /** @param {string} label */
    paintOn: (label) => `Paint on: ${label}`,
    /** @param {string} label */
    promptOf: (label) => `${label}: prompt`,
    promptHint: "What is to be in this region",
    strength: "Strength",
    /** @param {string} label */
    strengthOf: (label) => `${label}: strength`,
    asEdit: "as the edit's",
    /** @param {string} label */
    remove: (label) => `Remove ${label}`,
    /** @param {number} most */
    full: (most) => `There may be ${most} regions.`,
    /** What undo would take back. */
    added: "new region",
    removed: "removed region",
    cleared: "cleared marks",
    changed: "change of a region",
  },

  // ---- jobs: asking, watching, comparing, history ----

  run: {
    edit: "Edit",
    make: "Make a picture",
    shortcut: "Ctrl+Enter",
    /** @param {number} count */
    variations: (count) => `${count} variations`,
    variationsHint: "The same with four seeds",
    sweep: "Sweep",
    /** @param {string} strengths */
    sweepHint: (strengths) => `The same at several strengths, to choose from: ${strengths}`,
    notReady: "The server is not ready yet.",
    nothing: "Open a picture, or write what to make.",
    noSweep: "A sweep of strengths needs a picture.",
  },

  jobs: {
    list: "Under way",
    noPrompt: "No prompt",
    /** @param {number} strength */
    strength: (strength) => `strength ${strength}`,
    away: "The server cannot be reached. Nothing is lost: this page asks again, and goes on when it is back.",
    forgotten: "The server does not know this edit any more.",
    sending: "On its way to the server",
    begins: "Begins",
    cancelled: "Cancelled",
    cancel: "Cancel",
    cancelAll: "Cancel all",
    /** @param {number} count */
    cancelAllText: (count) => `${count} edits end without a result.`,
    dismiss: "Dismiss",
    /** @param {string} reason */
    failed: (reason) => `Failed: ${reason}`,
    /** @param {number | null} place */
    place: (place) => (place === null ? "Waits" : place === 1 ? "Next in the queue" : `Number ${place} in the queue`),
    /** @param {number} step @param {number} steps */
    step: (step, steps) => `Step ${step} of ${steps}`,
    /** @param {number} seconds */
    left: (seconds) => {
      if (seconds < 1.5) return "about a second left";
      if (seconds < 90) return `about ${Math.round(seconds)} seconds left`;
      if (seconds < 5400) return `about ${Math.round(seconds / 60)} minutes left`;
      return `about ${Math.round(seconds / 3600)} hours left`;
    },
    /** @param {string} name */
    look: (name) => `Show the preview: ${name}`,
    /** @param {string} name */
    progress: (name) => `Progress: ${name}`,
    /** @param {string} state @param {string} prompt @param {string} reason */
    said: (state, prompt, reason) => {
      const name = prompt === "" ? "Edit" : `Edit "${prompt}"`;
      if (state === "queued") return `${name} was accepted.`;
      if (state === "done") return `${name} is done.`;
      if (state === "failed") return `${name} failed: ${reason}`;
      return state === "cancelled" ? `${name} was cancelled.` : "";
    },
  },

  choose: {
    cancel: "Cancel",
  },

  restore: {
    title: "The picture is not there any more",
    /** @param {string} name */
    text: (name) => `The server has forgotten ${name}, and this browser has no copy. Everything else of this edit is there: open the file again to go on with it.`,
    open: "Open the file again",
    step: "coming back to an edit",
    /** @param {string} was @param {string} is */
    otherSize: (was, is) => `That is another picture: it has ${is} pixels, and this edit was of one with ${was}.`,
  },

  compare: {
    view: "View",
    views: { picture: "Picture", result: "Result", compare: "Compare", difference: "Difference", noised: "Noised" },
    before: "The picture before the edit",
    /** @param {string} prompt */
    result: (prompt) => (prompt === "" ? "The result" : `The result: ${prompt}`),
    difference: "Where picture and result differ",
    gain: "Amplify",
    divider: "Before and after",
    /** @param {number} percent */
    dividerAt: (percent) => `The picture on the left ${percent} %, the result on the right`,
    /** @param {number} step @param {number} steps */
    preview: (step, steps) => `Preview, step ${step} of ${steps}`,
    waits: "Preview follows",
    use: "Use as input",
    download: "Download",
    /** @param {string} name */
    inputName: (name) => `${name.replace(/\.[^.]*$/, "") || "picture"}-edited.png`,
  },

  about: {
    title: "About",
    kept: "What it kept",
    made: "How it was made",
    command: "Copy as command",
    python: "Copy as Python",
    maps: "Save its maps",
    copied: { command: "The command is copied.", python: "The Python is copied." },
    byHand: "Copy this",
    text: "Text to copy",
    /** @param {string} files */
    needs: (files) => `needs ${files}: "Save its maps" in the Studio`,
  },

  figures: {
    structure: "Structure",
    edges: "Edges",
    detail: "Fine detail",
    ssim: "Likeness (SSIM)",
    colour: "Colours moved",
    /** @param {number} share */
    share: (share) => {
      const percent = `${Math.round(100 * Math.max(0, share))} %`;
      if (share >= 0.9) return `nearly all kept, ${percent}`;
      if (share >= 0.7) return `most kept, ${percent}`;
      if (share >= 0.4) return `partly kept, ${percent}`;
      return share >= 0.15 ? `little kept, ${percent}` : `hardly any kept, ${percent}`;
    },
    /** @param {number} units of CIEDE2000 */
    moved: (units) => {
      const far = units < 1 ? "not visibly" : units < 5 ? "a little" : units < 15 ? "clearly" : "far";
      return `${far}, ${units.toFixed(1)} (1 is just visible)`;
    },
  },

  facts: {
    seed: "Seed",
    variation: "Variation",
    strength: "Strength",
    found: "Kept",
    /** @param {number} kept */
    goal: (kept) => `${Math.round(100 * kept)} % by the strength that was found`,
    t0: "Starts at timestep",
    steps: "Steps run",
    sampler: "Sampler",
    size: "Size",
    seconds: "Seconds",
  },

  history: {
    title: "History",
    keys: "A click brings everything back. Arrows move, Delete deletes.",
    clear: "Clear all",
    /** @param {number} count */
    clearText: (count) => `${count} results and what they were made with are deleted from this browser.`,
    remove: "Delete",
    removeText: "This result and what it was made with are deleted from this browser.",
    /** @param {string} name @param {number} seed */
    item: (name, seed) => `${name} · seed ${seed}`,
    /** @param {string} kind @param {string} prompt */
    group: (kind, prompt) => `${kind === "sweep" ? "Sweep of strengths" : "Variations"}: ${prompt || "no prompt"}`,
    /** @param {number} seed */
    seed: (seed) => `seed ${shortSeed(seed)}`,
    /** @param {string} seed */
    variation: (seed) => `variation ${shortSeed(seed)}`,
    /** @param {number} strength */
    strength: (strength) => `strength ${strength}`,
  },

  recipe: {
    title: "Recipe",
    /** @param {string} name @param {string} prompt */
    offer: (name, prompt) => `${name} holds its recipe${prompt ? `: "${prompt}"` : ""}. Bring its settings back?`,
    take: "Bring them back",
    leave: "No",
    /** @param {string} name */
    none: (name) => `${name} holds no recipe.`,
    done: "The recipe's settings are back.",
    otherSize: "Its maps are left out: the open picture is not of the size that they were painted for.",
  },

  // ---- end of jobs ----
};

/** @param {number} share */
function percent(share) {
  return `${Math.round(share * 100)}\u00a0%`;
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** @param {number | null} low @param {number | null} high */
function rangeOf(low, high) {
  if (low !== null && high !== null) return ` from ${low} to ${high}`;
  if (low !== null) return ` of at least ${low}`;
  return high === null ? "" : ` of at most ${high}`;
}

/** The last digits of a long seed: enough to tell one from the next. @param {number | string} seed */
function shortSeed(seed) {
  const text = String(seed);
  return text.length > 7 ? `…${text.slice(-5)}` : text;
}
