// What a person can do. Each is one request; the program answers with what is then there.

import { state, changed, currentObject } from "./state.js";
import { ask, connected } from "./connection.js";
import { brushPixels } from "./view.js";

const REST = 120; // milliseconds that the pointer rests before a preview is asked for
let resting = 0;
let rested = "";

// A request that changes the objects.
function change(what, more) {
  state.asked = ask(what, more) || state.asked;
}

// Whether the program may know more than the page: then it decides whether something can be done.
function expecting() {
  return state.asked > state.told;
}

export function click(row, col, positive, when) {
  if (!connected() || state.unreadable) return;
  leave();
  state.points = [...state.points, { n: 0, row, col, positive }];
  state.busy = true;
  state.clickedAt = when ?? performance.now();
  change("click", { row, col, positive, label: state.label });
  changed();
}

export function paint(points, erase) {
  const dab = { points, size: brushPixels(state.brush), erase };
  state.strokes.push(dab);
  stroke(dab);
  changed("picture");
}

// What is painted stays on the canvas until the mask that contains it comes.
export function stroke({ points, size, erase }) {
  change("stroke", { points, size, erase, label: state.label });
}

export function removePoint(point) {
  state.pointed = null;
  change("unclick", { click: point.n });
}

export function accept() {
  if (currentObject() || expecting()) change("accept");
}

export function discard() {
  if (currentObject() || expecting()) change("discard");
}

export function undo() {
  if (state.undo || expecting()) change("undo");
}

export function redo() {
  if (state.redo || expecting()) change("redo");
}

export function select(id) {
  if (id !== state.current) change("select", { object: id });
}

export function remove(id) {
  if (id) change("delete", { object: id });
}

// The label of the object in work, and of those that follow.
export function chooseLabel(label) {
  if (!label) return;
  state.label = label;
  const current = currentObject();
  if (current && current.label !== label) change("label", { object: current.id, label });
  changed();
}

export function go(image) {
  if (image >= 0 && image < state.images.length && image !== state.image) {
    leave();
    change("open", { image });
  }
}

export function chooseModel(name) {
  if (name !== state.model) ask("model", { name });
}

// Ask what a click here would give, when the pointer has rested; `pixel` null: nothing.
export function hover(pixel, background) {
  const key = pixel && state.tool === "click" ? `${pixel.row} ${pixel.col} ${Boolean(background)}` : "";
  if (key === rested) return;
  rested = key;
  clearTimeout(resting);
  if (state.preview) {
    state.preview = null;
    changed("picture");
  }
  const [rows, cols] = state.size;
  if (!key || pixel.row < 0 || pixel.col < 0 || pixel.row >= rows || pixel.col >= cols) return;
  resting = setTimeout(() => {
    if (!state.busy) state.previewing = ask("hover", { row: pixel.row, col: pixel.col, positive: !background });
  }, REST);
}

export function leave() {
  clearTimeout(resting);
  rested = "";
  state.previewing = 0;
  state.preview = null;
}
