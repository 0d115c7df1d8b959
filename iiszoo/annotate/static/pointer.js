// Mouse, pen and fingers on the canvas.

import { state, changed } from "./state.js";
import { view, brushPixels, zoom, pan, pixelAt, placeOf } from "./view.js";
import { moved } from "./drawing.js";
import { click, hover, leave, paint, removePoint, stroke } from "./actions.js";

const canvas = document.getElementById("canvas");
const NEAR = 10; // pixels of the screen from a point's middle
const TAP = 10; // how far a finger may move in a tap
const STROKE_POINTS = 4000; // then the stroke is sent, and goes on as another
let held = { space: false };
let dragging = null; // {kind: "pan" | "stroke" | "tap", id, x, y, ...}
const fingers = new Map();

export function holdSpace(down) {
  held.space = down;
  showCursor();
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function pointAt({ x, y }) {
  for (let i = state.points.length - 1; i >= 0; i -= 1) {
    const point = state.points[i];
    const place = placeOf(point.row, point.col);
    if (point.n && Math.hypot(place.x - x, place.y - y) <= NEAR) return point;
  }
  return null;
}

function inside({ row, col }) {
  return row >= 0 && col >= 0 && row < state.size[0] && col < state.size[1];
}

function showCursor() {
  const panning = held.space || dragging?.kind === "pan";
  const place = panning ? "grab" : state.tool !== "click" ? "none" : state.pointed ? "pointer" : "crosshair";
  canvas.style.cursor = dragging?.kind === "pan" ? "grabbing" : place;
  canvas.title = state.pointed && !panning ? "Click to remove this point" : "";
}

// A click of the mouse, a tap or a key, with the tool that is chosen.
export function use(place, background, event) {
  const pixel = pixelAt(place.x, place.y);
  if (!inside(pixel)) return;
  if (state.tool === "click") {
    const point = event?.pointerType === "mouse" || event?.pointerType === "touch" ? pointAt(place) : null;
    if (point) removePoint(point);
    else click(pixel.row, pixel.col, !background, event?.timeStamp);
  } else {
    paint([[pixel.row, pixel.col]], (state.tool === "eraser") !== background);
  }
}

function down(event) {
  canvas.focus({ preventScroll: true, focusVisible: false });
  state.crosshair = null;
  const place = at(event);
  leave();
  if (event.pointerType === "touch") {
    fingers.set(event.pointerId, place);
    canvas.setPointerCapture(event.pointerId);
    if (fingers.size === 2) {
      if (dragging?.kind === "stroke") state.strokes.pop();
      dragging = { kind: "pinch" };
      return;
    }
    if (state.tool === "click") {
      dragging = { kind: "tap", id: event.pointerId, ...place };
      return;
    }
  }
  if (dragging) return;
  if (event.button === 1 || held.space) {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    dragging = { kind: "pan", id: event.pointerId, ...place };
  } else if (event.button === 0 || event.button === 2) {
    const background = event.button === 2 || event.shiftKey || (event.button === 0 && state.background);
    if (state.tool === "click") use(place, background, event);
    else beginStroke(event, place, background);
  }
  showCursor();
}

function beginStroke(event, place, background) {
  if (state.unreadable) return;
  canvas.setPointerCapture(event.pointerId);
  const erase = (state.tool === "eraser") !== background;
  const begun = { points: [clamped(pixelAt(place.x, place.y))], size: brushPixels(state.brush), erase, open: true };
  state.strokes.push(begun);
  dragging = { kind: "stroke", id: event.pointerId, stroke: begun };
  changed("picture");
}

function clamped({ row, col }) {
  const [rows, cols] = state.size;
  return [Math.min(rows - 1, Math.max(0, row)), Math.min(cols - 1, Math.max(0, col))];
}

function move(event) {
  const place = at(event);
  state.pointer = event.pointerType === "touch" ? null : place;
  if (fingers.has(event.pointerId) && dragging?.kind === "pinch") pinch(event.pointerId, place);
  else if (dragging && dragging.id === event.pointerId) drag(event, place);
  else if (event.pointerType !== "touch") {
    state.pointed = state.tool === "click" ? pointAt(place) : null;
    hover(state.pointed || held.space ? null : pixelAt(place.x, place.y), event.shiftKey || state.background);
    showCursor();
  }
  changed("picture");
}

function drag(event, place) {
  if (dragging.kind === "tap" && Math.hypot(place.x - dragging.x, place.y - dragging.y) > TAP) dragging.kind = "pan";
  if (dragging.kind === "pan") {
    pan(place.x - dragging.x, place.y - dragging.y, state.size);
    Object.assign(dragging, place);
    moved();
  } else if (dragging.kind === "stroke") {
    const { points } = dragging.stroke;
    for (const between of event.getCoalescedEvents?.() ?? [event]) {
      const next = at(between);
      const pixel = clamped(pixelAt(next.x, next.y));
      const last = points[points.length - 1];
      if (Math.hypot(pixel[0] - last[0], pixel[1] - last[1]) >= Math.max(1, dragging.stroke.size / 10)) points.push(pixel);
    }
    if (points.length > STROKE_POINTS) {
      const last = points[points.length - 1];
      send(dragging.stroke);
      dragging.stroke = { ...dragging.stroke, points: [last], open: true };
      state.strokes.push(dragging.stroke);
    }
  }
}

function pinch(id, place) {
  const before = [...fingers.values()].slice(0, 2);
  fingers.set(id, place);
  const after = [...fingers.values()].slice(0, 2);
  const middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const apart = ([a, b]) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
  const [from, to] = [middle(before), middle(after)];
  pan(to.x - from.x, to.y - from.y, state.size);
  zoom(apart(after) / apart(before), to.x, to.y, state.size);
  moved();
}

function up(event) {
  fingers.delete(event.pointerId);
  if (dragging?.kind === "pinch") {
    if (!fingers.size) dragging = null;
    return;
  }
  if (!dragging || dragging.id !== event.pointerId) return;
  const { kind, stroke: painted } = dragging;
  const place = { x: dragging.x, y: dragging.y };
  dragging = null;
  if (kind === "stroke") send(painted);
  if (kind === "tap" && event.type === "pointerup") use(place, state.background, event);
  showCursor();
}

function send(painted) {
  painted.open = false;
  stroke(painted);
}

function wheel(event) {
  event.preventDefault();
  const { x, y } = at(event);
  const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
  const delta = Math.max(-300, Math.min(300, event.deltaY * lines));
  zoom(Math.exp(-delta / (event.ctrlKey ? 120 : 400)), x, y, state.size);
  moved();
}

export function start() {
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => {
    state.pointer = null;
    state.pointed = null;
    hover(null);
    changed("picture");
  });
  canvas.addEventListener("wheel", wheel, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("auxclick", (event) => event.preventDefault());
  showCursor();
}

// Zooms by a key or a button: round the pointer if it is on the canvas, else round the middle.
export function zoomBy(factor) {
  const { x, y } = state.crosshair ?? state.pointer ?? { x: view.width / 2, y: view.height / 2 };
  zoom(factor, x, y, state.size);
  moved();
}

// Moves the pointer of the arrow keys, which begins in the middle.
export function moveCrosshair(dx, dy) {
  const start = state.crosshair ?? state.pointer ?? { x: view.width / 2, y: view.height / 2 };
  state.crosshair = {
    x: Math.min(view.width - 1, Math.max(0, start.x + dx)),
    y: Math.min(view.height - 1, Math.max(0, start.y + dy)),
  };
  const pixel = pixelAt(state.crosshair.x, state.crosshair.y);
  hover(inside(pixel) ? pixel : null, state.background);
  changed("picture");
}

export { showCursor };
