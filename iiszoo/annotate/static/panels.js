// Everything around the canvas. Names come from files and labels: they are only ever text.

import { state, colourOf, COLOURS, changed, currentObject } from "./state.js";
import * as actions from "./actions.js";

const $ = (id) => document.getElementById(id);
const run = document.documentElement.dataset.run;

function element(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

function swatch(colour) {
  const made = element("span", { className: "swatch" });
  made.style.background = colour;
  return made;
}

// Replaces the children of a list, keeping the focus on what had it.
function refill(list, children) {
  const focused = document.activeElement?.dataset?.key;
  const had = list.contains(document.activeElement);
  list.replaceChildren(...children);
  if (had && focused) [...list.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus();
}

function showLabels() {
  const chosen = currentObject()?.label ?? state.label;
  refill(
    $("labels"),
    state.labels.map((label, i) => {
      const key = i < 9 ? String(i + 1) : "";
      const button = element("button", { className: "label", title: key ? `${label} (${key})` : label },
        swatch(COLOURS[i % COLOURS.length]), element("span", { className: "text", textContent: label }));
      if (key) button.append(element("kbd", { textContent: key }));
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", String(label === chosen));
      button.dataset.key = `label ${i}`;
      button.onclick = () => actions.chooseLabel(label);
      return button;
    }),
  );
}

function showObjects() {
  const objects = [...state.objects].reverse();
  $("count").textContent = objects.length ? String(objects.length) : "";
  $("no-objects").hidden = objects.length > 0;
  refill(
    $("objects"),
    objects.map((object) => {
      const current = object.id === state.current;
      const hidden = state.hidden.has(object.id);
      const what = current ? "in work" : !object.accepted ? "not accepted" : object.changed ? "changed" : "";
      const main = element("button", { className: "object", title: current ? "In work: clicks go to this object" : "Correct this object (R)" },
        swatch(colourOf(object.label)),
        element("span", { className: "text", textContent: `${object.label} ${object.id}` }),
        element("span", { className: "what", textContent: what }));
      main.dataset.key = `object ${object.id}`;
      main.setAttribute("aria-current", String(current));
      main.onclick = () => actions.select(object.id);
      const eye = element("button", { className: "icon", title: hidden ? "Show" : "Hide" }, icon(hidden ? "hidden" : "eye"),
        element("span", { className: "away", textContent: `${hidden ? "Show" : "Hide"} ${object.label} ${object.id}` }));
      eye.dataset.key = `eye ${object.id}`;
      eye.onclick = () => {
        hidden ? state.hidden.delete(object.id) : state.hidden.add(object.id);
        changed();
      };
      const bin = element("button", { className: "icon", title: "Delete" }, icon("delete"),
        element("span", { className: "away", textContent: `Delete ${object.label} ${object.id}` }));
      bin.dataset.key = `delete ${object.id}`;
      bin.onclick = () => actions.remove(object.id);
      return element("li", { className: current ? "current" : "" }, main, eye, bin);
    }),
  );
}

export function makeStrip() {
  $("strip").replaceChildren(
    ...state.images.map((image, i) => {
      const picture = element("img", { alt: "", loading: "lazy", decoding: "async", src: `/thumbnail/${run}/${i}` });
      const button = element("button", { className: "thumbnail" }, picture, element("span", { className: "done" }));
      button.onclick = () => actions.go(i);
      return button;
    }),
  );
  state.images.forEach((_, i) => showThumbnail(i));
}

function showThumbnail(i) {
  const image = state.images[i];
  const button = $("strip").children[i];
  if (!button) return;
  const done = image.done ? `${image.done} accepted` : "nothing accepted yet";
  button.title = `${image.name}: ${done}`;
  button.setAttribute("aria-label", `Image ${i + 1}, ${image.name}, ${done}`);
  button.classList.toggle("has", image.done > 0);
  button.lastChild.textContent = image.done ? (image.done > 1 ? String(image.done) : "✓") : "";
}

let stripAt = -1;
function showStrip() {
  if (stripAt !== state.image) {
    $("strip").children[stripAt]?.removeAttribute("aria-current");
    const now = $("strip").children[state.image];
    now?.setAttribute("aria-current", "true");
    now?.scrollIntoView({ block: "nearest", inline: "center" });
    stripAt = state.image;
  }
  showThumbnail(state.image);
}

export function makeModels() {
  $("model").replaceChildren(
    ...state.models.map(({ name, summary, note }) =>
      element("option", { value: name, title: summary, textContent: note ? `${name} (${note})` : name })),
  );
}

function showHeader() {
  const image = state.images[state.image];
  $("position").textContent = image ? `${state.image + 1} / ${state.images.length}` : "";
  $("name").textContent = image?.name ?? "";
  $("name").title = image ? `${image.name}, ${image.size[1]} × ${image.size[0]} pixels` : "";
  document.title = image ? `${image.name} – iiszoo` : "iiszoo annotate";
  $("previous").disabled = state.image <= 0;
  $("next").disabled = state.image >= state.images.length - 1;
  if (document.activeElement !== $("model")) $("model").value = state.model;
  $("model").disabled = state.loading;
  $("undo").disabled = !state.undo;
  $("redo").disabled = !state.redo;
  $("accept").disabled = $("discard").disabled = !currentObject();
}

function showTools() {
  for (const tool of ["click", "brush", "eraser"]) {
    $(`tool-${tool}`).setAttribute("aria-checked", String(state.tool === tool));
  }
  $("polarity").setAttribute("aria-pressed", String(state.background));
  $("polarity-sign").textContent = state.background ? "−" : "+";
  $("polarity").title = state.background
    ? "A tap or a left click means background (X)" : "A tap or a left click means object (X)";
  $("fill").setAttribute("aria-pressed", String(!state.outline));
  $("outline").setAttribute("aria-pressed", String(state.outline));
  $("opacity").value = String(Math.round(state.opacity * 100));
  $("size").value = String(state.brush);
  $("size-shown").textContent = `${state.brush} px`;
  const model = state.models.find(({ name }) => name === state.model);
  const blind = model?.takes_masks === false;
  const hint = state.unreadable || (blind && state.tool !== "click"
    ? `${state.model} does not take masks: its next answer replaces what is painted. Paint after clicking.`
    : blind && state.points.length === 0 && currentObject()
      ? `${state.model} does not take masks: a click begins a new mask instead of correcting this one.`
      : !state.shown ? "Masks are hidden (V)" : "");
  $("hint").textContent = hint;
  $("hint").hidden = !hint;
}

let slow = 0;
let answered = "";
function showStatus() {
  clearTimeout(slow);
  if (state.busy && !state.loading) slow = setTimeout(() => { $("status").textContent = "answering …"; }, 250);
  else if (!state.loading) $("status").textContent = answered;
}

export function showAnswered(seconds) {
  answered = seconds ? `${seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`}` : "";
}

export function showLoading({ model, file, done, total }) {
  state.loading = true;
  const bar = $("loading");
  bar.hidden = false;
  if (total) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
  $("status").textContent = file ? `fetching ${file}` : `loading ${model}`;
  showHeader();
}

export function showLoaded() {
  state.loading = false;
  $("loading").hidden = true;
  $("model").value = state.model;
}

// A sentence on the page; `stays` until it is closed.
export function note(text, stays = false) {
  const close = element("button", { className: "icon", title: "Close" }, "×");
  const made = element("div", { className: "note" }, element("span", { textContent: text }), close);
  close.onclick = () => made.remove();
  $("notes").append(made);
  while ($("notes").children.length > 4) $("notes").firstChild.remove();
  if (!stays) setTimeout(() => made.remove(), 9000);
}

export function showAll() {
  showHeader();
  showLabels();
  showObjects();
  showTools();
  showStatus();
  showStrip();
}
