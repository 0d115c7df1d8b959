// Where the image is on the canvas: `scale` pixels of the screen for one of the image, and the place of its corner.

export const view = { scale: 1, x: 0, y: 0, width: 1, height: 1 };

const MARGIN = 16;
const MOST = 40;

export function fit([rows, cols]) {
  const room = [Math.max(1, view.width - 2 * MARGIN), Math.max(1, view.height - 2 * MARGIN)];
  view.scale = Math.min(room[0] / cols, room[1] / rows, 8);
  view.x = (view.width - cols * view.scale) / 2;
  view.y = (view.height - rows * view.scale) / 2;
}

export function zoom(factor, x, y, [rows, cols]) {
  const least = Math.min(view.width / cols, view.height / rows, 1) / 2;
  const scale = Math.min(MOST, Math.max(least, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
}

// Some of the image always stays in sight.
export function pan(dx, dy, [rows, cols]) {
  const keep = 40;
  view.x = Math.min(view.width - keep, Math.max(keep - cols * view.scale, view.x + dx));
  view.y = Math.min(view.height - keep, Math.max(keep - rows * view.scale, view.y + dy));
}

// The pixel of the image under a place of the canvas; it may lie outside.
export function pixelAt(x, y) {
  return { row: Math.floor((y - view.y) / view.scale), col: Math.floor((x - view.x) / view.scale) };
}

// The middle of a pixel on the canvas.
export function placeOf(row, col) {
  return { x: view.x + (col + 0.5) * view.scale, y: view.y + (row + 0.5) * view.scale };
}

// The width of the brush in pixels of the image: what is seen of it stays the same while one zooms.
export function brushPixels(brush) {
  return Math.min(4096, Math.max(1, Math.round(brush / view.scale)));
}

// The part of the image in sight, in pixels of the image.
export function inSight([rows, cols]) {
  const top = Math.max(0, Math.floor(-view.y / view.scale));
  const left = Math.max(0, Math.floor(-view.x / view.scale));
  const bottom = Math.min(rows, Math.ceil((view.height - view.y) / view.scale));
  const right = Math.min(cols, Math.ceil((view.width - view.x) / view.scale));
  return { top, left, height: Math.max(0, bottom - top), width: Math.max(0, right - left) };
}
