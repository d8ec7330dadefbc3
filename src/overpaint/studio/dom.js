/** Elements made in one line, and custom elements. Texts become text nodes: nothing from outside is ever read as HTML. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element. Names of `props` that begin with "on" are listeners; those that the element has are set on it, all others
 * are attributes; false, null and undefined leave one out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  setProps(made, props);
  add(made, children);
  return made;
}

/**
 * @param {HTMLElement} element
 * @param {Record<string, any>} props
 */
function setProps(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name === "class") element.className = value;
    else if (name in element && !name.includes("-")) /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {Element} parent
 * @param {Child[]} children
 */
function add(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Put other children in the place of an element's own.
 * @param {Element} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** Paths on a square of 24, drawn as lines. */
const ICONS = {
  pan: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
  brush: "M20 4 10 14M7 14c-3 0-3 4-5 6 4 1 8 0 8-3 0-2-1-3-3-3z",
  eraser: "M8 20h12M5 16l9-11 6 5-8 10H8z",
  box: "M4 4h16v16H4z",
  gradient: "M4 4h16v16H4zM8 4v16M11 4v16M15 4v16",
  fill: "M4 12l8-8 8 8-8 8zM20 16c1 2 1 4 0 4s-1-2 0-4z",
  select: "M5 19 14 10M14 4v3M20 10h-3M18 6l-2 2M11 4l1 2M20 14l-2-1",
  colour: "M12 3c-4 5-6 8-6 11a6 6 0 0 0 12 0c0-3-2-6-6-11z",
  undo: "M4 10h10a5 5 0 0 1 0 10h-3M4 10l5-5M4 10l5 5",
  redo: "M20 10H10a5 5 0 0 0 0 10h3M20 10l-5-5M20 10l-5 5",
  invert: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  clear: "M5 5l14 14M19 5 5 19",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  open: "M4 20h16V8h-8l-2-3H4z",
  dice: "M4 4h16v16H4zM9 9h.1M15 15h.1M15 9h.1M9 15h.1M12 12h.1",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
  play: "M7 4l12 8-12 8z",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  copy: "M8 8h12v12H8zM16 8V4H4v12h4",
  compare: "M12 3v18M4 6h6v12H4M14 6h6v12h-6",
  eye: "M3 12c4-7 14-7 18 0-4 7-14 7-18 0zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  help: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 18h.1",
  plus: "M12 5v14M5 12h14",
  words: "M4 6h16M4 12h10M4 18h13",
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * A drawing that says nothing to a screen reader: the control that it stands in has a label.
 * @param {IconName} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Make a custom element known, once.
 * @param {string} name
 * @param {CustomElementConstructor} element
 */
export function define(name, element) {
  if (customElements.get(name) === undefined) customElements.define(name, element);
}
