/** Tools that are dragged from one point to another, or only point: box, gradient, fill and smart select. */

import { selectIn } from "./api.js";
import { flood } from "./map-fill.js";
import { fromPng } from "./map-png.js";
import { box, gradient } from "./map-shapes.js";
import { join } from "./map.js";
import { changeMap, MapChange, strengthByte } from "./marks.js";
import { tell } from "./notice.js";
import { store } from "./store.js";
import { words } from "./words.js";

/**
 * @typedef {import("./brush.js").Gesture} Gesture
 * @typedef {import("./brush.js").Point} Point
 * @typedef {import("./view.js").Place} Place
 */

/** @param {import("./store.js").ToolName} name @param {Point} at @param {boolean} away @returns {Gesture | null} */
export function shapeGesture(name, at, away) {
  if (name === "box" || name === "gradient") return dragged(name, at, away);
  if (name === "fill") return clicked(() => fillAt(at, away));
  if (name === "select") return clicked(() => void selectAt(at, away));
  return null;
}

/** @param {"box" | "gradient"} name @param {Point} from @param {boolean} away @returns {Gesture} */
function dragged(name, from, away) {
  const change = new MapChange(words.canvas.did[name], away);
  const value = strengthByte();
  return {
    move: (points, keys) => {
      const last = points.at(-1);
      if (last === undefined) return;
      change.reset();
      const to = keys.shift ? squared(name, from, last) : last;
      change.changed((name === "box" ? box : gradient)(change.map, from, to, value, away));
    },
    end: () => change.end(),
    cancel: () => change.cancel(),
  };
}

/** A square box; a gradient in steps of 45 degrees. @param {"box" | "gradient"} name @param {Place} from @param {Place} to */
function squared(name, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (name === "box") {
    const side = Math.max(Math.abs(dx), Math.abs(dy));
    return { x: from.x + side * (dx < 0 ? -1 : 1), y: from.y + side * (dy < 0 ? -1 : 1) };
  }
  const angle = (Math.round(Math.atan2(dy, dx) / (Math.PI / 4)) * Math.PI) / 4;
  const length = Math.hypot(dx, dy);
  return { x: from.x + length * Math.cos(angle), y: from.y + length * Math.sin(angle) };
}

/** What happens where the pointer is let go. @param {() => void} call @returns {Gesture} */
function clicked(call) {
  return { move: () => {}, end: call, cancel: () => {} };
}

/** @param {Point} at @param {boolean} away */
function fillAt(at, away) {
  changeMap(words.canvas.did.fill, (map) => flood(map, at, away ? 255 - strengthByte() : strengthByte()), away);
}

/**
 * Ask the server what the point lies on, and add that to the map.
 * @param {Point} at
 * @param {boolean} away
 */
async function selectAt(at, away) {
  const { picture, tool, marks } = store.state;
  if (picture === null) return;
  const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return;
  document.body.classList.add("waits");
  try {
    const found = await fromPng(await selectIn(picture.id, [`select:${x},${y}`]));
    // while the server looked, another picture may have been opened, or another layer begun
    if (store.state.picture !== picture || store.state.marks.active !== marks.active) return;
    changeMap(words.canvas.did.select, (map) => join(map, found, away, tool.strength), away);
  } catch (error) {
    tell(error);
  } finally {
    document.body.classList.remove("waits");
  }
}
