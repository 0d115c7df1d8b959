// Masks as they come: run lengths, row by row, beginning with background.

const MOST_LINES = 400000;

export class Mask {
  // `header`: rows, cols, step (every how manyth pixel of the image), top, left (in pixels of the image).
  constructor(header, runs) {
    Object.assign(this, { rows: header.rows, cols: header.cols, step: header.step, top: header.top, left: header.left });
    this.runs = runs;
  }

  get empty() {
    return this.runs.length < 2;
  }

  // Calls `each(first, end)` for each run of the object, in positions of row-major order.
  spans(each) {
    let at = 0;
    for (let i = 0; i < this.runs.length; i += 1) {
      const end = at + this.runs[i];
      if (i % 2) each(at, end);
      at = end;
    }
  }

  // Colours the object's pixels of an ImageData's Uint32Array of the same size.
  paint(pixels, colour) {
    this.spans((first, end) => pixels.fill(colour, first, end));
  }

  // The outline as a Path2D in pixels of the image.
  get outline() {
    this.path ??= this.trace();
    return this.path;
  }

  trace() {
    const path = new Path2D();
    const { cols, step, top, left } = this;
    let lines = 0;
    const line = (r0, c0, r1, c1) => {
      lines += 1;
      path.moveTo(left + c0 * step, top + r0 * step);
      path.lineTo(left + c1 * step, top + r1 * step);
    };
    let above = []; // the columns at which the row above changes
    let open = new Map(); // column of a vertical line -> the row in which it began
    let edges = [];
    let row = 0;
    const finish = () => {
      const both = new Set(above);
      for (const edge of edges) both.has(edge) ? both.delete(edge) : both.add(edge);
      const apart = [...both].sort((a, b) => a - b);
      for (let i = 0; i + 1 < apart.length; i += 2) line(row, apart[i], row, apart[i + 1]);
      const going = new Map();
      for (const edge of edges) going.set(edge, open.get(edge) ?? row);
      for (const [edge, began] of open) if (!going.has(edge)) line(began, edge, row, edge);
      open = going;
      above = edges;
      edges = [];
    };
    this.spans((first, end) => {
      for (let at = first; at < end && lines < MOST_LINES; ) {
        const r = Math.floor(at / cols);
        while (row < r) {
          finish();
          row += 1;
          if (!above.length && !edges.length && !open.size) row = r;
        }
        const stop = Math.min(end, (r + 1) * cols);
        edges.push(at - r * cols, stop - r * cols);
        at = stop;
      }
    });
    finish();
    row += 1;
    finish();
    return path;
  }
}

// A canvas with masks of one size in their colours; `layers`: [mask, colour] from the lowest.
export function painted(layers) {
  const [{ rows, cols }] = layers[0];
  const canvas = document.createElement("canvas");
  canvas.width = cols;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const data = context.createImageData(cols, rows);
  const pixels = new Uint32Array(data.data.buffer);
  for (const [mask, colour] of layers) mask.paint(pixels, packedColour(colour));
  context.putImageData(data, 0, 0);
  return canvas;
}

function packedColour(colour) {
  const value = parseInt(colour.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
