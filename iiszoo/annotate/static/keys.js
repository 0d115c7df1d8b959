// The keyboard: every key, what it does, and how the help shows it.

import { state, changed } from "./state.js";
import * as actions from "./actions.js";
import { showWhole } from "./drawing.js";
import { holdSpace, moveCrosshair, showCursor, use, zoomBy } from "./pointer.js";
import { view } from "./view.js";

const $ = (id) => document.getElementById(id);

export function chooseTool(tool) {
  state.tool = tool;
  actions.leave();
  showCursor();
  changed();
}

export function togglePolarity() {
  state.background = !state.background;
  changed();
}

export function toggleOutline(outline) {
  state.outline = outline ?? !state.outline;
  changed();
}

function brushBy(factor) {
  const bigger = Math.round(state.brush * factor);
  state.brush = Math.min(200, Math.max(1, bigger === state.brush ? state.brush + Math.sign(factor - 1) : bigger));
  changed();
}

function hideMasks() {
  state.shown = !state.shown;
  changed();
}

function clickHere(background) {
  const place = state.crosshair ?? state.pointer;
  if (place) use(place, background, null);
}

function reopen() {
  const last = [...state.objects].reverse().find((object) => object.id !== state.current);
  if (last) actions.select(last.id);
}

// The object that has the focus in the list, or else the one in work.
function removeObject() {
  const [kind, id] = (document.activeElement?.dataset.key ?? "").split(" ");
  actions.remove(kind === "object" ? Number(id) : state.current);
}

function escape() {
  if (state.crosshair) {
    state.crosshair = null;
    changed("picture");
  } else actions.discard();
}

// [keys as shown, what they do, the keys themselves, what is called]
const GROUPS = [
  ["Clicks", [
    ["left, tap", "object", [], null],
    ["right, Shift + left", "background", [], null],
    ["on a point", "remove it", [], null],
    ["X", "left is background, or object", ["x"], togglePolarity],
    ["arrow keys", "move the pointer (Alt: pixel by pixel)", [], null],
    ["C", "click where the pointer is", ["c"], () => clickHere(state.background)],
    ["Shift + C", "the same, background", ["C"], () => clickHere(true)],
  ]],
  ["Objects", [
    ["Enter", "accept, go to the next object", ["Enter"], actions.accept],
    ["Esc", "discard what is not accepted", ["Escape"], escape],
    ["Ctrl + Z", "undo", ["ctrl+z"], actions.undo],
    ["Ctrl + Y", "redo (also Ctrl + Shift + Z)", ["ctrl+Z", "ctrl+y"], actions.redo],
    ["1 to 9", "label", [], null],
    ["R", "correct the object before", ["r"], reopen],
    ["Delete", "delete the object in work", ["Delete"], removeObject],
  ]],
  ["Tools", [
    ["P", "click", ["p"], () => chooseTool("click")],
    ["B", "brush", ["b"], () => chooseTool("brush")],
    ["E", "eraser", ["e"], () => chooseTool("eraser")],
    ["[, ]", "smaller, larger brush", ["[", "]"], (key) => brushBy(key === "[" ? 0.8 : 1.25)],
    ["M", "model", ["m"], () => $("model").focus()],
  ]],
  ["View", [
    ["wheel, +, -", "zoom", ["+", "=", "-", "_"], (key) => zoomBy("+=".includes(key) ? 1.25 : 0.8)],
    ["Space + drag", "move the image (also middle)", [], null],
    ["F", "whole image", ["f"], showWhole],
    ["O", "outline, or fill", ["o"], () => toggleOutline()],
    ["V", "hide all masks, or show them", ["v"], hideMasks],
    ["A, D", "previous, next image (also Page keys)", ["a", "d", "PageUp", "PageDown"],
      (key) => actions.go(state.image + (["a", "PageUp"].includes(key) ? -1 : 1))],
    ["?", "these keys", ["?"], () => $("help").showModal()],
  ]],
];

const CALLS = new Map(GROUPS.flatMap(([, rows]) => rows.flatMap(([, , keys, call]) => keys.map((key) => [key, call]))));
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function writes(target) {
  return target.matches("select, textarea, input:not([type=range])");
}

function down(event) {
  if ($("help").open || !$("gone").hidden || event.isComposing) return;
  const { key, target } = event;
  if (writes(target) && key !== "Escape") return;
  const onCanvas = target === $("canvas") || target === document.body;
  if (key === " " && onCanvas) {
    event.preventDefault();
    holdSpace(true);
    return;
  }
  if (ARROWS[key] && onCanvas && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const step = event.altKey ? view.scale : event.shiftKey ? 40 : 8;
    moveCrosshair(...ARROWS[key].map((direction) => direction * step));
    return;
  }
  if (key === "Enter" && target.matches("button, a")) return; // it presses that button
  const control = event.ctrlKey || event.metaKey;
  if (event.altKey || (control && !CALLS.has(`ctrl+${key}`) && !CALLS.has(`ctrl+${key.toLowerCase()}`))) return;
  if (/^[1-9]$/.test(key) && !control) {
    actions.chooseLabel(state.labels[Number(key) - 1]);
    return;
  }
  const shifted = event.shiftKey ? key.toUpperCase() : key.toLowerCase();
  const name = control ? `ctrl+${shifted}` : key;
  const call = CALLS.get(name) ?? (control ? null : CALLS.get(key.length === 1 ? key.toLowerCase() : key));
  if (!call) return;
  event.preventDefault();
  call(key.length === 1 ? key.toLowerCase() : key);
}

// What is pressed with the mouse gives the focus back, so that keys mean what they mean on the image.
function giveBack(event) {
  if (event.detail > 0 && event.target.closest("button") && !event.target.closest("dialog")) {
    $("canvas").focus({ preventScroll: true, focusVisible: false });
  }
}

export function start() {
  document.addEventListener("click", giveBack);
  document.addEventListener("keydown", down);
  document.addEventListener("keyup", ({ key }) => key === " " && holdSpace(false));
  window.addEventListener("blur", () => holdSpace(false));
  const table = GROUPS.map(([title, rows]) => {
    const section = document.createElement("section");
    const heading = document.createElement("h3");
    heading.textContent = title;
    const list = document.createElement("dl");
    for (const [shown, what] of rows) {
      const term = document.createElement("dt");
      term.textContent = shown;
      const meaning = document.createElement("dd");
      meaning.textContent = what;
      list.append(term, meaning);
    }
    section.append(heading, list);
    return section;
  });
  $("keys").replaceChildren(...table);
}
