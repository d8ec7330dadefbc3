/**
 * Undo and redo, of maps, layers and strokes. Whoever changes one of them first does it, and then says by `remember` how
 * it is taken back and done again.
 *
 * @typedef {object} Step
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {number} bytes  that it keeps
 * @property {string} words  what was done, as "brush stroke"
 */

import { shortcut } from "./keys.js";
import { words } from "./words.js";

const MOST = 200_000_000; // bytes; the oldest steps go first

/** @type {Step[]} */
let done = [];
/** @type {Step[]} */
let undone = [];
let isHeld = false; // while something is being painted
/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {Step} step  that was done just now */
export function remember(step) {
  done.push(step);
  undone = [];
  let bytes = done.reduce((sum, one) => sum + one.bytes, 0);
  while (bytes > MOST && done.length > 1) bytes -= done.shift()?.bytes ?? 0;
  tellAll();
}

/** Nothing can be undone while something is being painted. @param {boolean} held */
export function hold(held) {
  isHeld = held;
}

export function undo() {
  const step = isHeld ? undefined : done.pop();
  if (step === undefined) return;
  step.undo();
  undone.push(step);
  tellAll();
}

export function redo() {
  const step = isHeld ? undefined : undone.pop();
  if (step === undefined) return;
  step.redo();
  done.push(step);
  tellAll();
}

/** Nothing of before can be taken back: another picture was opened. */
export function forget() {
  done = [];
  undone = [];
  tellAll();
}

/** What would be undone and redone next, in words. @returns {{undo: string | null, redo: string | null}} */
export function next() {
  return { undo: done.at(-1)?.words ?? null, redo: undone.at(-1)?.words ?? null };
}

/** Hear of every change of what `next` says; called once at once. @param {() => void} call */
export function onUndo(call) {
  listeners.add(call);
  call();
  return () => listeners.delete(call);
}

function tellAll() {
  for (const call of [...listeners]) call();
}

shortcut("Ctrl+Z", words.canvas.undo, undo);
shortcut("Ctrl+Shift+Z", words.canvas.redo, redo);
