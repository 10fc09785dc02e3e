// "Degrade a photograph": some of the defects of riqa/phantom/degrade.py, computed in the page as they are there
// (a test compares pixels). Where a defect sits is not drawn by lot but fixed, in the middle of what may be drawn.
"use strict";
globalThis.riqa ??= {};

/** Spoil an image (RGBA, side x side, black outside `inside`) by severities from 0 to 1, by defect. */
riqa.degrade = (rgba, inside, side, severities) => {
  const n = side * side, centre = (side - 1) / 2, mix = (from, to, weight) => from + weight * (to - from);
  let planes = [0, 1, 2].map(c => Float32Array.from({ length: n }, (_, at) => rgba[4 * at + c]));
  const u = at => (at % side - centre) * 2 / side, v = at => (Math.floor(at / side) - centre) * 2 / side;
  const clip = (x, low, high) => Math.min(high, Math.max(low, x));
  const along = (angle, at) => u(at) * Math.cos(angle) + v(at) * Math.sin(angle);
  const away = (shift, angle, at) => Math.hypot(u(at) - shift * Math.cos(angle), v(at) - shift * Math.sin(angle));
  const step = (x, low, high) => (t => t * t * (3 - 2 * t))(clip((x - low) / (high - low), 0, 1));
  const filtered = smooth => { // without mixing in what lies outside the field
    const weight = smooth(Float32Array.from(inside));
    const divided = plane => plane.map((x, at) => x / Math.max(weight[at], 1e-3));
    return planes.map(plane => divided(smooth(plane.map((x, at) => x * inside[at]))));
  };
  const blurred = width => filtered(plane => riqa.gauss(plane, side, width * side));

  /** A motion `length` pixels long, up and down. */
  function moved(plane, length) {
    const half = Math.ceil(length / 2) + 1, m = 4 * half + 1, kernel = new Float64Array(2 * half + 1);
    for (let k = 0; k < m; k++)
      for (let j = -half; j <= half; j++)
        kernel[j + half] += Math.max(0, 1 - Math.abs(j - (k / (m - 1) - 0.5) * length)) / m;
    return plane.map((_, at) => kernel.reduce((sum, weight, j) => {
      let row = Math.floor(at / side) + j - half;
      row = row < 0 ? -row : row >= side ? 2 * side - 2 - row : row;
      return sum + weight * plane[row * side + at % side];
    }, 0));
  }

  const defects = { // in the order in which light meets them; each returns three planes
    defocus: s => blurred(0.04 * s ** 1.23),
    motion: s => filtered(plane => moved(plane, 0.16 * s ** 1.3 * side)),
    haze: s => {
      const glow = blurred(0.1), tint = [1, 0.98, 0.88];
      return planes.map((plane, c) => plane.map((x, at) => {
        const mean = (glow[0][at] + glow[1][at] + glow[2][at]) / 3;
        const density = clip(s * (0.8 + 0.1 * along(Math.PI, at)), 0.3 * s, 0.94);
        return mix(x, 0.45 * glow[c][at] + 0.55 * (mean * tint[c] + 28), density);
      }));
    },
    flat_gamma: s => {
      const count = inside.reduce((a, b) => a + b), lift = 0.075;
      const means = planes.map(plane => plane.reduce((sum, x, at) => sum + x * inside[at], 0) / count);
      const grey = means.reduce((a, b) => a + b) / 3;
      const target = means.map(mean => mean + lift * (grey - mean) + 12 * lift);
      return planes.map((plane, c) => plane.map(x => mix(x, target[c], 0.85 * s)));
    },
    under_exposure: s => planes.map((plane, c) => plane.map(x => x * (1 - 0.92 * s) ** [0.85, 1.05, 1][c])),
    vignette: s => planes.map(plane => plane.map((x, at) =>
      x * (1 - 0.9 * step(away(0.225, Math.PI, at), 0.325, 1.075) * Math.min(1, 1.15 * s)))),
    pupil_crescent: s => planes.map((plane, c) => plane.map((x, at) => {
      const profile = step(away(0.55, 2 * Math.PI, at), 1.42 - 0.72 * s ** 0.7, 1.5 - 0.25 * s);
      return mix(x, [200, 220, 222.5][c], profile * Math.min(1, 0.25 + 0.9 * s) * Math.min(1, 5 * s));
    })),
    flash_spot: s => planes.map((plane, c) => plane.map((x, at) => {
      const far = (u(at) ** 2 + v(at) ** 2) / (0.07 + 0.3 * s) ** 2;
      return mix(x, [232.5, 235, 235][c], Math.exp(-(far ** 1.3)) * Math.min(1, 0.35 + 0.9 * s) * Math.min(1, 5 * s));
    })),
  };
  for (const [name, change] of Object.entries(defects))
    if (severities[name] > 0) {
      const changed = change(severities[name]);
      planes = planes.map((plane, c) => plane.map((x, at) => (inside[at] ? clip(changed[c][at], 0, 255) : x)));
    }
  return Uint8ClampedArray.from({ length: 4 * n }, (_, k) => (k % 4 < 3 ? Math.round(planes[k % 4][k >> 2]) : 255));
};

/** The part of eight experts who call a detail bad, from its severity; each looks anew, with noise. */
riqa.callBad = ({ threshold, bias, noise }, detail, severity) => {
  const each = bias[detail].map(own => normal((severity - threshold - own) / noise[detail]));
  return each.reduce((a, b) => a + b) / each.length;
};

/** The normal distribution function, to 1e-7 (Abramowitz and Stegun 1964, 7.1.26). */
function normal(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce((sum, a) => sum * t + a, 0);
  const tail = series * t * Math.exp(-x * x / 2) / 2;
  return x < 0 ? tail : 1 - tail;
}
