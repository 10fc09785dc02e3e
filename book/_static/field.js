// The field of view in the page: a simple fit of one circle, and a crop as riqa/data/fov makes it.
// The book's own search (bars, white margins, several photographs on one page) is not here: look at the circle.
"use strict";
globalThis.riqa ??= {};

/**
 * Fit a circle to what differs from the corners; without a margin it holds the frame. Returns {x, y, r, box} in
 * pixels; the box [left, top, right, bottom] leaves out straight bars, in which nothing differs.
 */
riqa.fitCircle = (source, width, height) => {
  const scale = Math.min(1, 256 / Math.max(width, height));
  const [w, h] = [width, height].map(side => Math.max(1, Math.round(side * scale)));
  const { data } = riqa.drawn(w, h, pen => pen.drawImage(source, 0, 0, w, h)).getImageData(0, 0, w, h);
  const level = (x, y) => Math.max(...data.subarray(4 * (y * w + x), 4 * (y * w + x) + 3));
  const corners = [[1, 1], [w - 2, 1], [1, h - 2], [w - 2, h - 2]].map(([x, y]) => level(x, y)).sort((a, b) => a - b);
  const margin = (corners[1] + corners[2]) / 2, isField = (x, y) => Math.abs(level(x, y) - margin) > 16;
  const rim = [];
  const ends = (n, m, at) => { // the outermost points of a row or column; where the frame cuts, none
    for (let k = 0; k < n; k++) {
      const line = Array.from({ length: m }, (_, j) => isField(...at(k, j)));
      for (const j of [line.indexOf(true), line.lastIndexOf(true)]) if (j > 0 && j < m - 1) rim.push(at(k, j));
    }
  };
  ends(h, w, (y, x) => [x, y]);
  ends(w, h, (x, y) => [x, y]);
  let circle = null, kept = rim;
  for (let round = 0; round < 6 && kept.length >= 12; round++) {
    circle = leastSquares(kept);
    const off = ([x, y]) => Math.abs(Math.hypot(x - circle.x, y - circle.y) - circle.r);
    const middle = kept.map(off).sort((a, b) => a - b)[kept.length >> 1];
    kept = rim.filter(point => off(point) <= Math.max(3 * middle, 1));
  }
  if (!circle || !(circle.r > 0.15 * Math.max(w, h)) || circle.r > 2 * Math.max(w, h))
    return { x: (width - 1) / 2, y: (height - 1) / 2, r: Math.hypot(width, height) / 2, box: [0, 0, width, height] };
  const within = (x, y) => Math.hypot(x - circle.x, y - circle.y) < circle.r - 1;
  const bar = (m, at) => { // how many lines from an edge on hold hardly anything of the field
    let n = 0;
    for (let k = 0; ; k++) {
      const line = Array.from({ length: m }, (_, j) => at(k, j)).filter(point => within(...point));
      if (line.length && line.filter(point => isField(...point)).length > 0.1 * line.length) return n;
      if (line.length) n = k + 1;
      if (k > Math.max(w, h)) return 0;
    }
  };
  const [left, top] = [bar(h, (k, j) => [k, j]), bar(w, (k, j) => [j, k])];
  const [right, bottom] = [w - bar(h, (k, j) => [w - 1 - k, j]), h - bar(w, (k, j) => [j, h - 1 - k])];
  const [x, y] = [circle.x, circle.y].map(v => (v + 0.5) / scale - 0.5);
  return { x, y, r: circle.r / scale, box: [left, top, right, bottom].map(edge => Math.round(edge / scale)) };
};

/** The circle x^2 + y^2 = 2 a x + 2 b y + c that fits points best, by Cramer's rule. */
function leastSquares(points) {
  const sum = of => points.reduce((s, [x, y]) => s + of(x, y), 0), n = points.length;
  const [mx, my] = [sum(x => x) / n, sum((x, y) => y) / n];
  const [xx, yy, xy] = [x => (x - mx) ** 2, (x, y) => (y - my) ** 2, (x, y) => (x - mx) * (y - my)].map(sum);
  const square = (x, y) => (x - mx) ** 2 + (y - my) ** 2;
  const [px, py] = [sum((x, y) => square(x, y) * (x - mx)) / 2, sum((x, y) => square(x, y) * (y - my)) / 2];
  const whole = xx * yy - xy * xy, a = (px * yy - py * xy) / whole, b = (py * xx - px * xy) / whole;
  return { x: a + mx, y: b + my, r: Math.sqrt(a * a + b * b + sum(square) / n) };
}

/** Draw on a canvas of its own, and return the pen. */
riqa.drawn = (w, h, draw) => {
  const pen = Object.assign(document.createElement("canvas"), { width: w, height: h })
    .getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  draw(pen);
  return pen;
};

/** Cut circle and box out, black outside, padded to a square of `side` pixels: RGBA. */
riqa.crop = (source, { x, y, r, box }, side) => {
  const [left, top] = [x, y].map((centre, k) => Math.max(box[k], Math.floor(centre - r)));
  const [right, bottom] = [x, y].map((centre, k) => Math.min(box[k + 2], Math.ceil(centre + r) + 1));
  if (right <= left || bottom <= top) return new Uint8ClampedArray(4 * side * side);
  const scale = side / Math.max(right - left, bottom - top);
  const [columns, rows] = [right - left, bottom - top].map(length => Math.max(1, Math.round(length * scale)));
  const [dx, dy] = [(side - columns) >> 1, (side - rows) >> 1];
  const from = [left, top, right - left, bottom - top], to = [dx, dy, columns, rows];
  const pen = riqa.drawn(side, side, own => halved(own, source, from, to));
  const { data } = pen.getImageData(0, 0, side, side);
  const [cx, cy] = [(x - left + 0.5) * scale - 0.5 + dx, (y - top + 0.5) * scale - 0.5 + dy];
  for (let n = 0; n < side * side; n++) {
    const out = Math.hypot(n % side - cx, Math.floor(n / side) - cy) > r * scale;
    if (out) data.fill(0, 4 * n, 4 * n + 3);
    data[4 * n + 3] = 255;
  }
  return data;
};

/** Draw a part of a source smaller without aliasing: halve it as often as possible first. */
function halved(pen, source, [x, y, w, h], [dx, dy, columns, rows]) {
  while (w >= 2 * columns && h >= 2 * rows) {
    const [smallX, smallY, from] = [w >> 1, h >> 1, [source, x, y, w, h]];
    source = riqa.drawn(smallX, smallY, half => half.drawImage(...from, 0, 0, smallX, smallY)).canvas;
    [x, y, w, h] = [0, 0, smallX, smallY];
  }
  pen.drawImage(source, x, y, w, h, dx, dy, columns, rows);
}
