// The image in tiles of 512 pixels; each level halves the sides.

import { view, inSight } from "./view.js";

const TILE = 512;
const MOST = 300; // tiles that are kept
const run = document.documentElement.dataset.run;
const kept = new Map();
let arrived = () => {};

export function onArrival(listener) {
  arrived = listener;
}

function tile(image, level, row, col) {
  const address = `/tile/${run}/${image}/${level}/${row}/${col}`;
  let found = kept.get(address);
  if (!found) {
    found = new Image();
    found.decoding = "async";
    found.onload = () => {
      found.ready = true;
      arrived();
    };
    found.src = address;
  }
  kept.delete(address);
  kept.set(address, found);
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST) break;
    kept.delete(oldest);
  }
  return found;
}

function levelsOf([rows, cols]) {
  return Math.max(0, Math.ceil(Math.log2(Math.max(rows, cols) / TILE)));
}

// Draws what is there: coarse tiles first, finer ones over them.
export function drawTiles(context, image, size, ratio) {
  const last = levelsOf(size);
  const wanted = Math.min(last, Math.max(0, Math.floor(Math.log2(1 / (view.scale * ratio)) + 0.01)));
  const part = inSight(size);
  context.imageSmoothingEnabled = view.scale * ratio < 2.5;
  context.imageSmoothingQuality = "high";
  for (const level of wanted === last ? [last] : [last, wanted]) {
    const step = TILE * 2 ** level;
    for (let row = Math.floor(part.top / step); row * step < part.top + part.height; row += 1) {
      for (let col = Math.floor(part.left / step); col * step < part.left + part.width; col += 1) {
        const found = tile(image, level, row, col);
        if (!found.ready) continue;
        const scale = 2 ** level;
        context.drawImage(found, col * step, row * step, found.naturalWidth * scale, found.naturalHeight * scale);
      }
    }
  }
}

// Asks for the coarsest tile of an image, so that it is there when one goes to it.
export function ahead(image, size) {
  tile(image, levelsOf(size), 0, 0);
}
