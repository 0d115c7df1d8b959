// Puts the page together: what the program says, and what the buttons do.

import { state, changed, onChange } from "./state.js";
import { ask, connect } from "./connection.js";
import { Mask } from "./mask.js";
import { view, inSight } from "./view.js";
import { ahead } from "./tiles.js";
import * as actions from "./actions.js";
import * as drawing from "./drawing.js";
import * as keys from "./keys.js";
import * as panels from "./panels.js";
import * as pointer from "./pointer.js";

const $ = (id) => document.getElementById(id);
let measured = 0; // when the click was made whose mask has come but is not drawn

const handlers = {
  welcome({ images, labels, models, model, notices }) {
    Object.assign(state, { images, labels, models, model });
    if (!labels.includes(state.label)) state.label = labels[0];
    panels.makeStrip();
    panels.makeModels();
    for (const sentence of notices) panels.note(sentence, true);
  },
  opened({ image, labels }) {
    begin(image);
    state.labels = labels;
    if (image + 1 < state.images.length) ahead(image + 1, state.images[image + 1].size);
    changed();
  },
  unreadable({ image, text }) {
    begin(image);
    state.unreadable = text;
    changed();
  },
  document({ n, image, objects, current, points, undo, redo, busy, done }) {
    state.told = Math.max(state.told, n);
    if (image !== state.image) return;
    Object.assign(state, { objects, current, points, undo, redo, busy });
    state.images[image].done = done;
    const there = new Set(objects.map(({ id }) => id));
    for (const known of [state.masks, state.details]) {
      for (const id of known.keys()) if (!there.has(id)) known.delete(id);
    }
    if (!current) state.strokes = [];
    state.preview = null;
    changed();
  },
  answered({ busy, seconds }) {
    state.busy = busy;
    panels.showAnswered(seconds);
    changed();
  },
  frame(header, runs) {
    if (header.image !== state.image) return;
    const mask = new Mask(header, runs);
    if (header.kind === "preview") {
      if (header.n === state.previewing) state.preview = mask;
    } else if (header.kind === "detail") state.details.set(header.object, mask);
    else {
      state.masks.set(header.object, mask);
      if (header.object === state.current) {
        state.strokes = state.strokes.filter((stroke) => stroke.open);
        measured = state.clickedAt ?? 0;
        state.clickedAt = 0;
      }
    }
    changed("picture");
  },
  loading: panels.showLoading,
  model({ name }) {
    state.model = name;
    panels.showLoaded();
    changed();
  },
  refused({ n, text }) {
    state.told = Math.max(state.told, n);
    state.points = state.points.filter((point) => point.n);
    state.strokes = [];
    panels.note(text);
    changed();
  },
  gone(sentence, refused) {
    $("gone-text").textContent = sentence;
    $("gone").hidden = false;
    $("again").focus();
    if (!refused) retry = setTimeout(() => connect(handlers), 2000);
  },
  back() {
    clearTimeout(retry);
    $("gone").hidden = true;
  },
};
let retry = 0;

function begin(image) {
  Object.assign(state, {
    image, size: state.images[image].size, objects: [], current: 0, points: [], undo: false, redo: false, busy: false,
    unreadable: "", preview: null, strokes: [], crosshair: null, pointed: null, clickedAt: 0,
  });
  state.masks.clear();
  state.details.clear();
  state.hidden.clear();
  lookedAt = "";
  drawing.showWhole();
}

// Of a large image, the masks come whole but coarse; fine ones come for the part that one looks at.
let lookedAt = "";
let looking = 0;
function look() {
  const coarse = state.masks.values().next().value?.step ?? 1;
  const fine = 2 ** Math.max(0, Math.floor(Math.log2(1 / (view.scale * (window.devicePixelRatio || 1)))));
  const part = coarse > 1 && fine < coarse ? inSight(state.size) : { top: 0, left: 0, height: 0, width: 0 };
  const key = part.height ? JSON.stringify([part, fine]) : "";
  if (key === lookedAt) return;
  lookedAt = key;
  if (!key) state.details.clear();
  clearTimeout(looking);
  looking = setTimeout(() => ask("view", { ...part, step: fine }), 60);
}

drawing.onDrawn(() => {
  look();
  if (measured) {
    performance.measure("click to mask", { start: measured, end: performance.now() });
    measured = 0;
  }
});
onChange((what) => {
  if (what === "all") panels.showAll();
  drawing.redraw();
});

const buttons = {
  previous: () => actions.go(state.image - 1),
  next: () => actions.go(state.image + 1),
  "tool-click": () => keys.chooseTool("click"),
  "tool-brush": () => keys.chooseTool("brush"),
  "tool-eraser": () => keys.chooseTool("eraser"),
  polarity: keys.togglePolarity,
  undo: actions.undo,
  redo: actions.redo,
  "zoom-in": () => pointer.zoomBy(1.25),
  "zoom-out": () => pointer.zoomBy(0.8),
  fit: drawing.showWhole,
  accept: actions.accept,
  discard: actions.discard,
  fill: () => keys.toggleOutline(false),
  outline: () => keys.toggleOutline(true),
  "help-button": () => $("help").showModal(),
  again: () => connect(handlers),
  "panel-button": () => {
    const open = document.body.classList.toggle("panel-open");
    $("panel-button").setAttribute("aria-expanded", String(open));
  },
};
for (const [id, press] of Object.entries(buttons)) $(id).addEventListener("click", press);
$("model").addEventListener("change", ({ target }) => {
  actions.chooseModel(target.value);
  $("canvas").focus();
});
$("opacity").addEventListener("input", ({ target }) => {
  state.opacity = Number(target.value) / 100;
  changed("picture");
});
$("size").addEventListener("input", ({ target }) => {
  state.brush = Number(target.value);
  changed();
});

history.replaceState(null, "", "/"); // the token stays out of sight and out of the history
keys.start();
pointer.start();
drawing.start();
window.annotation = state; // for the curious, and for tests
$("canvas").focus({ focusVisible: false });
connect(handlers);
