// The Student of this book, computed in the page: the network of riqa/learn/backbones.py (resnet10 and its
// kin), read from the very file that chapter 05 wrote. A map is {c, h, w, data}: channels, rows, columns.
"use strict";
globalThis.riqa ??= {};

/** Read base64 text as numbers by name: {shape, data}; the file is safetensors, float32. */
riqa.readTensors = text => {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const named = Object.entries(header).filter(([, entry]) => entry.dtype === "F32");
  return Object.fromEntries(named.map(([name, { shape, data_offsets: ends }]) => {
    const [first, last] = ends.map(end => 8 + length + end);
    return [name, { shape, data: new Float32Array(bytes.buffer.slice(first, last)) }];
  }));
};

riqa.network = tensors => {
  /** Call back with every pair of places that a convolution's kernel joins: (out row, first column, ...). */
  function alongRows(x, y, k, stride, each) {
    const pad = k >> 1;
    for (let a = 0; a < k; a++)
      for (let r = 0; r < y.h; r++) {
        const row = r * stride + a - pad;
        if (row < 0 || row >= x.h) continue;
        for (let b = 0; b < k; b++) {
          const first = Math.max(0, Math.ceil((pad - b) / stride));
          const last = Math.min(y.w - 1, Math.floor((x.w - 1 + pad - b) / stride));
          each(a * k + b, r * y.w, row * x.w + b - pad, first, last);
        }
      }
  }

  /** Convolve, then scale and shift every channel, as batch normalisation does in use. */
  function convolve(x, conv, norm, stride) {
    const { shape: [c, , k], data: weight } = tensors[`${conv}.weight`];
    const [h, w] = [x.h, x.w].map(side => Math.floor((side + 2 * (k >> 1) - k) / stride) + 1);
    const y = { c, h, w, data: new Float32Array(c * h * w) }, scales = scalesOf(norm);
    for (let o = 0; o < c; o++) {
      const plane = y.data.subarray(o * h * w, (o + 1) * h * w);
      for (let i = 0; i < x.c; i++) {
        const from = x.data.subarray(i * x.h * x.w), at = (o * x.c + i) * k * k;
        alongRows(x, y, k, stride, (cell, to, start, first, last) => {
          const value = weight[at + cell];
          for (let s = first; s <= last; s++) plane[to + s] += value * from[start + s * stride];
        });
      }
      const shift = tensors[`${norm}.bias`].data[o] - tensors[`${norm}.running_mean`].data[o] * scales[o];
      for (let n = 0; n < plane.length; n++) plane[n] = plane[n] * scales[o] + shift;
    }
    return y;
  }

  /** The way back: from the gradient at what `convolve` gave to that at x. */
  function convolveBack(gradient, x, conv, norm, stride) {
    const { shape: [c, , k], data: weight } = tensors[`${conv}.weight`], scales = scalesOf(norm);
    const back = { ...x, data: new Float32Array(x.data.length) };
    for (let o = 0; o < c; o++) {
      const plane = gradient.data.subarray(o * gradient.h * gradient.w);
      for (let i = 0; i < x.c; i++) {
        const to = back.data.subarray(i * x.h * x.w), at = (o * x.c + i) * k * k;
        alongRows(x, gradient, k, stride, (cell, from, start, first, last) => {
          const value = weight[at + cell] * scales[o];
          for (let s = first; s <= last; s++) to[start + s * stride] += value * plane[from + s];
        });
      }
    }
    return back;
  }

  const scalesOf = norm => tensors[`${norm}.weight`].data.map(
    (weight, k) => weight / Math.sqrt(tensors[`${norm}.running_var`].data[k] + 1e-5));
  const map = (x, change) => ({ ...x, data: x.data.map(change) });
  const relu = x => map(x, value => Math.max(0, value));
  const plus = (x, y) => map(x, (value, n) => value + y.data[n]);
  const strideOf = name => (`${name}.downsample.0.weight` in tensors ? 2 : 1);

  function maxPool(x) { // over 3 x 3 places, every second one
    const [h, w] = [x.h, x.w].map(side => ((side - 1) >> 1) + 1);
    const y = { c: x.c, h, w, data: new Float32Array(x.c * h * w).fill(-Infinity) };
    for (let c = 0; c < x.c; c++)
      alongRows(x, y, 3, 2, (cell, to, start, first, last) => {
        for (let s = first; s <= last; s++) {
          const at = c * h * w + to + s;
          y.data[at] = Math.max(y.data[at], x.data[c * x.h * x.w + start + 2 * s]);
        }
      });
    return y;
  }

  /** A residual block; `inner` is what its second convolution reads. */
  function block(x, name) {
    const stride = strideOf(name), inner = relu(convolve(x, `${name}.conv1`, `${name}.bn1`, stride));
    const skip = stride > 1 ? convolve(x, `${name}.downsample.0`, `${name}.downsample.1`, 2) : x;
    return { inner, out: relu(plus(convolve(inner, `${name}.conv2`, `${name}.bn2`, 1), skip)) };
  }

  function blockBack(gradient, x, { inner, out }, name) {
    const open = map(gradient, (value, n) => (out.data[n] > 0 ? value : 0)), stride = strideOf(name);
    const within = convolveBack(open, inner, `${name}.conv2`, `${name}.bn2`, 1);
    const seen = map(within, (value, n) => (inner.data[n] > 0 ? value : 0));
    const main = convolveBack(seen, x, `${name}.conv1`, `${name}.bn1`, stride);
    const short = `${name}.downsample`;
    return plus(main, stride > 1 ? convolveBack(open, x, `${short}.0`, `${short}.1`, 2) : open);
  }

  const averages = x => Array.from({ length: x.c }, (_, c) =>
    x.data.subarray(c * x.h * x.w, (c + 1) * x.h * x.w).reduce((sum, v) => sum + v, 0) / (x.h * x.w));

  /** Ask about an image of side x side pixels, RGBA from 0 to 255: logits by task, and pooled stages. */
  function ask(rgba, side, { mean, std }) {
    const image = { c: 3, h: side, w: side, data: new Float32Array(3 * side * side) };
    for (let n = 0; n < image.data.length; n++) {
      const c = Math.floor(n / side / side);
      image.data[n] = (rgba[4 * (n % (side * side)) + c] / 255 - mean[c]) / std[c];
    }
    const stem = relu(convolve(image, "backbone.conv1", "backbone.bn1", 2));
    const inputs = [maxPool(stem)], blocks = [];
    for (const stage of [1, 2, 3, 4]) {
      blocks.push(block(inputs.at(-1), `backbone.layer${stage}`));
      inputs.push(blocks.at(-1).out);
    }
    const features = averages(inputs.at(-1)), logits = {};
    for (const task of ["overall", "details"].filter(name => `heads.${name}.weight` in tensors)) {
      const { data: weight } = tensors[`heads.${task}.weight`], bias = tensors[`heads.${task}.bias`].data;
      logits[task] = Array.from(bias, (b, j) =>
        features.reduce((sum, f, i) => sum + f * weight[j * features.length + i], b));
    }
    const maps = [stem, ...inputs.slice(1)].filter(x => Math.min(x.h, x.w) > 1);
    return { logits, stages: [...maps.map(averages), features], inputs, blocks };
  }

  /** Grad-CAM: what speaks for a class, or for a detail being bad, in cells from 0 to 1; null if nothing. */
  function gradCam({ inputs, blocks }, task, target) {
    let stage = 4, x = inputs[4];
    const weight = tensors[`heads.${task}.weight`].data, sign = task === "details" ? -1 : 1, area = x.h * x.w;
    let gradient = map(x, (_, n) => sign * weight[target * x.c + Math.floor(n / area)] / area);
    for (; stage > 1 && inputs[stage].h < 4; stage--)
      gradient = blockBack(gradient, inputs[stage - 1], blocks[stage - 1], `backbone.layer${stage}`);
    x = inputs[stage];
    const pulls = averages(gradient), cells = new Float32Array(x.h * x.w);
    x.data.forEach((value, n) => { cells[n % cells.length] += pulls[Math.floor(n / cells.length)] * value; });
    const heat = cells.map(value => Math.max(0, value)), least = Math.min(...heat);
    const spread = Math.max(...heat) - least;
    return spread > 0 ? { side: x.h, cells: heat.map(value => (value - least) / spread) } : null;
  }

  return { ask, gradCam };
};
