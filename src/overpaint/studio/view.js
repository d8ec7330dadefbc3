/**
 * The transform between the stage, in CSS pixels, and the picture, in its own: pure functions of a view.
 *
 * Pixel i of the picture covers [i, i + 1): its centre is at i + 0.5, and the pixel under a point is its floor.
 *
 * @typedef {{scale: number, x: number, y: number}} View  stage = picture * scale + (x, y)
 * @typedef {{x: number, y: number}} Place
 * @typedef {{w: number, h: number}} Area
 * @typedef {{x: number, y: number, w: number, h: number}} Rect
 */

export const MAX_SCALE = 64; // CSS pixels for a pixel of the picture
const FIT_SCALE = 2; // a small picture is not blown up further by itself
const SMOOTH_UP_TO = 2;
const STAYS = 48; // CSS pixels of the picture that cannot be moved off the stage

/**
 * The whole of `rect` in the middle of the stage.
 * @param {Area} area  the stage
 * @param {Rect} rect  in the picture's pixels
 * @param {number} [margin]  CSS pixels left free on each side, for the handles
 * @returns {View}
 */
export function fit(area, rect, margin = Math.min(36, 24 + area.w / 100)) {
  const free = { w: Math.max(area.w - 2 * margin, 1), h: Math.max(area.h - 2 * margin, 1) };
  const scale = Math.min(free.w / rect.w, free.h / rect.h, FIT_SCALE);
  return {
    scale,
    x: area.w / 2 - (rect.x + rect.w / 2) * scale,
    y: area.h / 2 - (rect.y + rect.h / 2) * scale,
  };
}

/** @param {View} view @param {number} x @param {number} y  on the stage @returns {Place} in the picture */
export function toPicture(view, x, y) {
  return { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale };
}

/** @param {View} view @param {number} x @param {number} y  in the picture @returns {Place} on the stage */
export function toStage(view, x, y) {
  return { x: x * view.scale + view.x, y: y * view.scale + view.y };
}

/**
 * Another scale; what lies under the point (x, y) of the stage stays there.
 * @param {View} view
 * @param {number} scale
 * @param {number} x
 * @param {number} y
 * @returns {View}
 */
export function scaledAt(view, scale, x, y) {
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** @param {View} view @param {number} dx @param {number} dy @returns {View} */
export function moved(view, dx, dy) {
  return { scale: view.scale, x: view.x + dx, y: view.y + dy };
}

/**
 * From what to what two fingers went: what was under each stays under it, as far as scale and place can do that.
 * @param {View} view
 * @param {[Place, Place]} from
 * @param {[Place, Place]} to
 * @returns {View}
 */
export function pinched(view, from, to) {
  const middle = (/** @type {[Place, Place]} */ [a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const apart = (/** @type {[Place, Place]} */ [a, b]) => Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1);
  const [start, end] = [middle(from), middle(to)];
  const scaled = scaledAt(view, (view.scale * apart(to)) / apart(from), start.x, start.y);
  return moved(scaled, end.x - start.x, end.y - start.y);
}

/**
 * The view as it may be: neither too near nor too far, and some of the picture on the stage.
 * @param {View} view
 * @param {Area} area
 * @param {Rect} rect  what there is to see, in the picture's pixels
 * @returns {View}
 */
export function limited(view, area, rect) {
  const least = Math.min(fit(area, rect).scale / 2, 1);
  const scale = Math.min(Math.max(view.scale, least), MAX_SCALE);
  const at = scale === view.scale ? view : scaledAt(view, scale, area.w / 2, area.h / 2);
  return {
    scale,
    x: within(at.x, area.w, rect.x * scale, rect.w * scale),
    y: within(at.y, area.h, rect.y * scale, rect.h * scale),
  };
}

/** @param {number} at @param {number} room @param {number} start @param {number} length */
function within(at, room, start, length) {
  const stays = Math.min(STAYS, length, room);
  return Math.min(Math.max(at, stays - length - start), room - stays - start);
}

/** Whether pixels are blended into each other, or seen as squares. @param {View} view */
export function isSmooth(view) {
  return view.scale <= SMOOTH_UP_TO;
}

/**
 * The view in the pixels of a device that has `ratio` of them for one of CSS; squares begin at whole ones.
 * @param {View} view
 * @param {number} ratio
 * @returns {View}
 */
export function onDevice(view, ratio) {
  const round = isSmooth(view) ? (/** @type {number} */ v) => v : Math.round;
  return { scale: view.scale * ratio, x: round(view.x * ratio), y: round(view.y * ratio) };
}
