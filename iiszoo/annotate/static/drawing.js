// Everything on the canvas: image, masks, points, strokes, the brush's circle.

import { state, colourOf, changed } from "./state.js";
import { view, brushPixels, fit, placeOf } from "./view.js";
import { drawTiles, onArrival } from "./tiles.js";
import { painted } from "./mask.js";

const canvas = document.getElementById("canvas");
const context = canvas.getContext("2d", { alpha: false });
const POSITIVE = "#17a34a";
const NEGATIVE = "#dc2626";
let waiting = false;
let drawn = () => {};
let fitted = true;
let others = { key: "", layers: [] };
const own = new WeakMap(); // Mask -> its canvas
const colours = new WeakMap();

export function onDrawn(listener) {
  drawn = listener;
}

export function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
    drawn();
  });
}

export function showWhole() {
  fitted = true;
  fit(state.size);
  changed("picture");
}

// The person has moved the image: it is not fitted again when the window changes.
export function moved() {
  fitted = false;
  changed("picture");
}

function resized() {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const middle = [(view.width / 2 - view.x) / view.scale, (view.height / 2 - view.y) / view.scale];
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  view.width = width;
  view.height = height;
  if (fitted) fit(state.size);
  else {
    view.x = width / 2 - middle[0] * view.scale;
    view.y = height / 2 - middle[1] * view.scale;
  }
  draw();
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = getComputedStyle(canvas).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (state.image < 0 || state.unreadable) return;
  const [rows, cols] = state.size;
  const inImage = () =>
    context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  inImage();
  context.save();
  context.beginPath();
  context.rect(0, 0, cols, rows);
  context.clip();
  drawTiles(context, state.image, state.size, ratio);
  if (state.shown) drawMasks(ratio);
  drawStrokes();
  context.restore();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (state.shown) drawPoints();
  drawPointer();
}

function drawMasks() {
  const masks = state.objects
    .filter((object) => !state.hidden.has(object.id) && state.masks.has(object.id))
    .map((object) => ({ ...object, mask: state.masks.get(object.id), colour: colourOf(object.label) }));
  const rest = masks.filter((object) => object.id !== state.current && !object.mask.empty);
  const current = masks.find((object) => object.id === state.current && !object.mask.empty);
  const smooth = view.scale < 1;
  context.imageSmoothingEnabled = smooth;
  const parts = detailParts();
  if (parts) {
    // a large image from near: the masks of this part alone
    for (const object of [...rest, ...(current ? [current] : [])]) {
      const detail = parts.get(object.id);
      if (detail && !detail.empty) drawMask(detail, object.colour, object === current);
    }
  } else {
    if (!state.outline && rest.length) {
      const key = rest.map((object) => `${object.id} ${object.colour}`).join();
      const same = others.key === key && rest.every((object, i) => others.layers[i] === object.mask);
      if (!same) {
        others = { key, layers: rest.map((object) => object.mask) };
        others.canvas = painted(rest.map((object) => [object.mask, object.colour]));
      }
      drawCanvas(others.canvas, rest[0].mask, state.opacity * 0.8);
    }
    for (const object of rest) strokeMask(object.mask, object.colour, 1.25);
    if (current) drawMask(current.mask, current.colour, true);
  }
  if (state.preview && !state.preview.empty) {
    const colour = colourOf(currentLabel());
    if (!state.outline) drawCanvas(canvasOf(state.preview, colour), state.preview, state.opacity * 0.45);
    context.setLineDash([5 / view.scale, 4 / view.scale]);
    strokeMask(state.preview, colour, 1.5);
    context.setLineDash([]);
  }
}

function currentLabel() {
  return state.objects.find((object) => object.id === state.current)?.label ?? state.label;
}

function detailParts() {
  const first = state.masks.values().next().value;
  if (!first || first.step === 1 || !state.details.size) return null;
  const [detail] = state.details.values();
  return detail.step < first.step ? state.details : null;
}

function drawMask(mask, colour, strong) {
  if (!state.outline) drawCanvas(canvasOf(mask, colour), mask, state.opacity * (strong ? 1 : 0.8));
  strokeMask(mask, colour, strong ? 2 : 1.25);
}

function canvasOf(mask, colour) {
  if (!own.has(mask) || colours.get(mask) !== colour) {
    own.set(mask, painted([[mask, colour]]));
    colours.set(mask, colour);
  }
  return own.get(mask);
}

function drawCanvas(source, mask, alpha) {
  context.globalAlpha = alpha;
  context.drawImage(source, mask.left, mask.top, mask.cols * mask.step, mask.rows * mask.step);
  context.globalAlpha = 1;
}

function strokeMask(mask, colour, width) {
  context.lineCap = "square";
  context.lineWidth = (width + 1.5) / view.scale;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.stroke(mask.outline);
  context.lineWidth = width / view.scale;
  context.strokeStyle = colour;
  context.stroke(mask.outline);
}

function drawStrokes() {
  for (const { points, size, erase } of state.strokes) {
    context.lineCap = "round";
    context.lineJoin = "round";
    context.lineWidth = size;
    context.strokeStyle = erase ? "rgba(20, 20, 20, 0.55)" : colourOf(currentLabel());
    context.globalAlpha = erase ? 1 : Math.max(0.35, state.opacity);
    context.beginPath();
    const [first, ...rest] = points;
    context.moveTo(first[1] + 0.5, first[0] + 0.5);
    context.lineTo(first[1] + 0.5, first[0] + 0.5);
    for (const [row, col] of rest) context.lineTo(col + 0.5, row + 0.5);
    context.stroke();
    context.globalAlpha = 1;
  }
}

function drawPoints() {
  if (state.hidden.has(state.current)) return;
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  state.points.forEach((point, i) => {
    const { x, y } = placeOf(point.row, point.col);
    const radius = i >= 99 ? 11 : 9;
    context.beginPath();
    if (point.positive) context.arc(x, y, radius, 0, 2 * Math.PI);
    else context.rect(x - radius + 1, y - radius + 1, 2 * radius - 2, 2 * radius - 2);
    context.globalAlpha = point.n ? 1 : 0.75;
    context.fillStyle = point.positive ? POSITIVE : NEGATIVE;
    context.fill();
    context.lineWidth = point === state.pointed ? 3 : 1.5;
    context.strokeStyle = "#fff";
    context.stroke();
    context.fillStyle = "#fff";
    context.fillText(point === state.pointed ? "×" : String(i + 1), x, y + 0.5);
    context.globalAlpha = 1;
  });
}

function drawPointer() {
  if (state.tool !== "click" && state.pointer) {
    const radius = (brushPixels(state.brush) * view.scale) / 2;
    circle(state.pointer, radius, 3, "rgba(0, 0, 0, 0.6)");
    circle(state.pointer, radius, 1.25, state.tool === "eraser" ? "#ff8a8a" : "#fff");
  }
  if (state.crosshair) {
    const { x, y } = state.crosshair;
    for (const [width, colour] of [[4, "rgba(0, 0, 0, 0.7)"], [1.5, "#fff"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.lineCap = "butt";
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
      context.stroke();
    }
  }
}

function circle({ x, y }, radius, width, colour) {
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.beginPath();
  context.arc(x, y, Math.max(1, radius), 0, 2 * Math.PI);
  context.stroke();
}

export function start() {
  new ResizeObserver(resized).observe(canvas);
  onArrival(redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  resized();
}
