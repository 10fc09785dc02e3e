// From a crop to an answer as `riqa assess` gives it: classes, details, advice, or why the model abstains.
// Follows riqa/learn/novelty.py, colours.py, standing.py and riqa/assess/advice.py; a test compares them.
"use strict";
globalThis.riqa ??= {};

/** Blur a plane, side x side, by a Gaussian; mirrored at the edges, cut off beyond `reach` pixels. */
riqa.gauss = (plane, side, sigma, reach = Math.ceil(4 * sigma)) => {
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * sigma * sigma)));
  const total = kernel.reduce((a, b) => a + b), line = new Float64Array(side + 2 * reach);
  const mirror = k => (k < 0 ? -k : k >= side ? 2 * side - 2 - k : k);
  const along = (from, place) => {
    const to = new Float64Array(from.length);
    for (let i = 0; i < side; i++) {
      for (let k = -reach; k < side + reach; k++) line[k + reach] = from[place(i, mirror(k))];
      for (let k = 0; k < side; k++) {
        let sum = 0;
        for (let j = 0; j <= 2 * reach; j++) sum += kernel[j] * line[k + j];
        to[place(i, k)] = sum / total;
      }
    }
    return to;
  };
  return along(along(plane, (row, k) => row * side + k), (column, k) => k * side + column);
};

/** Describe the colours of every octave of an image (RGBA, side x side): 33 numbers, see colours.py. */
riqa.colourBands = (rgba, side, { floor, rounding, octaves, rim, fewest }) => {
  const blur = (plane, n) => riqa.gauss(plane, n, 1, 2);

  function logCovariance(planes, inside) { // upper triangle of the logarithm of the second moments
    const count = Math.max(inside.reduce((a, b) => a + b), 1);
    const moments = [0, 1, 2].map(a => [0, 1, 2].map(b =>
      planes[a].reduce((sum, v, n) => sum + (inside[n] ? v * planes[b][n] : 0), 0) / count + (a === b) * rounding));
    const { values, vectors } = eigen(moments);
    return [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]].map(([a, b]) =>
      values.reduce((sum, v, k) => sum + vectors[a][k] * Math.log(v) * vectors[b][k], 0));
  }

  let n = side, levels = [0, 1, 2].map(c =>
    Float64Array.from({ length: n * n }, (_, at) => Math.log1p(rgba[4 * at + c] / floor)));
  const seen = (row, column) => row >= 0 && row < n && column >= 0 && column < n
    && Math.max(...[0, 1, 2].map(c => rgba[4 * (row * n + column) + c])) > 0;
  let inside = Uint8Array.from({ length: n * n }, (_, at) => {
    for (let a = -rim; a <= rim; a++)
      for (let b = -rim; b <= rim; b++) if (!seen(Math.floor(at / n) + a, at % n + b)) return 0;
    return 1;
  });
  if (inside.reduce((a, b) => a + b) < fewest) inside = inside.fill(1);
  const count = inside.reduce((a, b) => a + b);
  const means = levels.map(plane => plane.reduce((sum, v, at) => sum + v * inside[at], 0) / count);
  const less = (planes, others) => planes.map((plane, c) => plane.map((v, at) => v - others[c][at]));
  let smooth = levels.map(plane => blur(plane, n));
  const numbers = [...means, ...logCovariance(less(levels, smooth), inside)];
  for (let octave = 1; octave < octaves; octave++) {
    const half = (n + 1) >> 1, old = n;
    const every = plane => plane.constructor.from(
      { length: half * half }, (_, at) => plane[2 * Math.floor(at / half) * old + 2 * (at % half)]);
    [levels, inside, n] = [smooth.map(every), every(inside), half];
    const weight = blur(inside, n).map(v => Math.max(v, 1e-3));
    smooth = levels.map(plane => blur(plane.map((v, at) => v * inside[at]), n).map((v, at) => v / weight[at]));
    numbers.push(...logCovariance(less(levels, smooth), inside));
  }
  numbers.push(...logCovariance(smooth.map((plane, c) => plane.map(v => v - means[c])), inside));
  return numbers;
};

/** Eigenvalues and vectors (columns) of a symmetric 3 x 3 matrix, by Jacobi's rotations. */
function eigen(matrix) {
  const m = matrix.map(row => [...row]), vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  for (let sweep = 0; sweep < 30; sweep++)
    for (const [p, q] of [[0, 1], [0, 2], [1, 2]]) {
      const angle = Math.atan2(2 * m[p][q], m[q][q] - m[p][p]) / 2, [c, s] = [Math.cos(angle), Math.sin(angle)];
      const turn = row => { [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]]; };
      m.forEach(turn);
      vectors.forEach(turn);
      const [a, b] = [m[p], m[q]];
      m[p] = a.map((v, k) => c * v - s * b[k]);
      m[q] = a.map((v, k) => s * v + c * b[k]);
    }
  return { values: m.map((row, k) => row[k]), vectors };
}

/** Open what `riqa/assess/in_page.py` wrote. */
riqa.openStudent = told => ({
  ...told, network: riqa.network(riqa.readTensors(told.weights)), novelty: riqa.readTensors(told.novelty),
});

/** How unlike the training photographs: for the network and for the colours, 1 is rare among its own kind. */
riqa.noveltyScores = (student, stages, bands) => {
  const part = name => student.novelty[name].data;
  const network = stages.reduce((sum, features, k) => {
    const z = features.map((f, i) => (f - part(`${k}.mean`)[i]) / part(`${k}.scale`)[i]), d = z.length;
    const precision = part(`${k}.precision`);
    const squared = z.reduce((s, zi, i) => s + zi * z.reduce((t, zj, j) => t + precision[i * d + j] * zj, 0), 0);
    return sum + squared / part(`${k}.median`)[0];
  }, 0);
  const d = bands.length, means = part("bands.means"), roots = part("bands.roots");
  const heights = student.heights.map((height, m) => {
    const off = bands.map((v, i) => v - means[m * d + i]);
    let squared = 0;
    for (let j = 0; j < d; j++)
      squared += off.reduce((sum, v, i) => sum + v * roots[(m * d + i) * d + j], 0) ** 2;
    return height - squared / 2;
  });
  const top = Math.max(...heights), surprise = -top - Math.log(heights.reduce((s, h) => s + Math.exp(h - top), 0));
  return [network, surprise].map((v, k) => (v - student.usual[k]) / (student.rare[k] - student.usual[k]));
};

/** Shares of the training photographs of the worst and the best class that are worse, by detail. */
riqa.ranks = (student, logits) => Object.fromEntries(student.details.flatMap((detail, k) => {
  const z = Math.round(logits[k] * 1e4) / 1e4, of = Object.entries(student.standing).filter(([, own]) => own[detail]);
  const shares = of.map(([name, { [detail]: all }]) =>
    [name, (all.filter(q => q < z).length + all.filter(q => q <= z).length) / 2 / all.length]);
  return shares.length ? [[detail, Object.fromEntries(shares)]] : [];
}));

/** What to do about a photograph, a sentence or more: the rules of riqa/assess/advice.py. */
riqa.advice = ({ remedies, retake }, pGood, overall, likely) => {
  const bad = Object.keys(pGood).filter(detail => pGood[detail] < 0.5).sort((a, b) => pGood[a] - pGood[b]);
  if (bad.length) {
    const despite = [`${overall} all the same: retake only if there is time`];
    return [...bad.map(detail => remedies[detail]), ...(["usable", "good"].includes(overall) ? despite : [])];
  }
  if (["reject", "bad"].includes(overall)) {
    const asked = Object.keys(pGood).length;
    const why = `${overall}, ${asked ? "though no detail is bad" : "and this model judges no details"}`;
    return likely in pGood
      ? [`most likely ${remedies[likely]}`, `${why}: the likeliest reason is no finding`]
      : [`${why}: look for what the heat map marks, and retake`];
  }
  return [overall === "usable" ? `${retake}: usable though not good, so another try may help` : retake];
};

/** Answer about a crop: RGBA of side x side pixels, black outside the field of view; `anyway`: never abstain. */
riqa.assess = (student, rgba, anyway = false) => {
  const side = student.side, seen = student.network.ask(rgba, side, student.normalisation);
  const scores = riqa.noveltyScores(student, seen.stages, riqa.colourBands(rgba, side, student.colours));
  if (Math.max(...scores) > student.limit && !anyway) {
    const view = student.views[scores[1] > scores[0] ? 1 : 0];
    return { seen, reason: `${student.unlike}: ${view}`, advice: ["let a person judge it"], scores };
  }
  const logits = (seen.logits.overall ?? []).map(z => z / student.temperature), top = Math.max(...logits);
  const odds = logits.map(z => Math.exp(z - top)), total = odds.reduce((a, b) => a + b, 0);
  const overall = Object.fromEntries(student.classes.map((name, k) => [name, odds[k] / total]));
  const asked = student.details.map((name, k) => [name, 1 / (1 + Math.exp(-seen.logits.details[k]))]);
  const details = Object.fromEntries(asked.filter(([, p]) => !Number.isNaN(p))); // silent in what it has not learned
  const label = student.classes[odds.indexOf(Math.max(...odds))], ranks = riqa.ranks(student, seen.logits.details);
  const worse = (a, b) => { // by the best class, ties by the worst
    const [x, y] = [a, b].map(detail => Object.values(ranks[detail]).reverse());
    return x[0] - y[0] || x[1] - y[1];
  };
  const likely = Object.keys(ranks).sort(worse)[0];
  return { seen, overall, label, details, ranks, advice: riqa.advice(student, details, label, likely), scores };
};
