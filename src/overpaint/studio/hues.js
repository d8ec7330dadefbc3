/** The colours in which the base map and the layers are shown: on the stage, and beside their names in the panel. */

import { store } from "./store.js";

/** Degrees, so that neighbours look unlike; none is near the pink that the base map has unless someone changes it. */
const HUES = [205, 35, 140, 265, 60, 175, 10, 235, 95, 285, 120, 22, 190, 80, 250, 155];

/**
 * @param {number} index  of a layer; -1: the base map
 * @returns {string} a CSS colour
 */
export function hueOf(index) {
  if (index < 0) return store.state.overlay.colour;
  return `hsl(${HUES[index % HUES.length]} 85% 50%)`;
}
