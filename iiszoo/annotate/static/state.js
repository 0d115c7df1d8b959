// What the page knows and shows. Modules change it and then call `changed`, which draws.

const listeners = new Set();

export const state = {
  images: [], // {name, size: [rows, columns], done}
  labels: [],
  models: [], // {name, summary, takes_masks, note}
  model: "",
  image: -1,
  size: [0, 0],
  objects: [], // {id, label, accepted, changed, clicks}
  current: 0,
  points: [], // {n, row, col, positive}; n is 0 until the program has the click
  undo: false,
  redo: false,
  busy: false,
  asked: 0, // the number of the last request that changes the objects
  told: 0, // the number of the last one whose answer has come
  loading: false,
  unreadable: "",
  label: "",
  tool: "click",
  background: false, // whether a plain click means background
  brush: 24, // pixels of the screen
  opacity: 0.45,
  outline: false,
  shown: true, // whether masks are shown at all
  hidden: new Set(), // ids of objects that are not shown
  masks: new Map(), // id of an object -> Mask
  details: new Map(), // the same, of the part that one looks at, for large images
  preview: null, // Mask that a click under the pointer would give
  strokes: [], // painted, but not yet in a mask
  pointer: null, // {x, y} on the canvas
  pointed: null, // the point under the pointer
  crosshair: null, // {x, y} of the pointer that the arrow keys move
};

export const COLOURS = [
  "#2f9bff", "#ff9f1c", "#2ecc71", "#f15bb5", "#00c2d1", "#ffe14d", "#a78bfa", "#ff5d5d", "#9bd13c",
];

export function colourOf(label) {
  return COLOURS[Math.max(0, state.labels.indexOf(label)) % COLOURS.length];
}

export function currentObject() {
  return state.objects.find((object) => object.id === state.current) ?? null;
}

export function onChange(listener) {
  listeners.add(listener);
}

// `what`: "all", or "picture" if only the canvas has to be drawn again.
export function changed(what = "all") {
  for (const listener of listeners) listener(what);
}
