// What pages show of an answer: sentences, a table of probabilities, and the picture that the model sees.
"use strict";
globalThis.riqa ??= {};

riqa.sentence = text => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** Open the model of this build for a page, and warn of what it has learned from; null if there is none. */
riqa.openPage = root => {
  if (!riqa.told || riqa.told.unable) {
    root.textContent = riqa.told?.unable ?? "The script with the model is missing: build the book again.";
    return null;
  }
  const find = name => root.querySelector(`[data-part="${name}"]`), { warning } = riqa.told;
  if (warning) Object.assign(find("warning"), { hidden: false, textContent: riqa.sentence(warning) });
  return { student: riqa.openStudent(riqa.told), find };
};

/** Offer pictures (caption -> address) as buttons. */
riqa.offer = (place, pictures, open) => {
  for (const [caption, address] of Object.entries(pictures)) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: caption });
    button.addEventListener("click", () => open(address, caption));
    place.append(button);
  }
};

/** Say an answer in words, and in a row per probability. */
riqa.tell = (find, name, answer) => {
  const told = answer.reason ? ["the model abstains", answer.reason] : [answer.label];
  find("told").textContent = `${name}: ${[told[0], ...told.slice(1), ...answer.advice].map(riqa.sentence).join(" ")}`;
  const claims = Object.entries(answer.overall ?? {}).map(([label, p]) => [`overall quality is ${label}`, p]);
  claims.push(...Object.entries(answer.details ?? {}).map(([detail, p]) => [`${detail} is good`, p]));
  find("numbers").replaceChildren(...claims.map(([claim, p]) => {
    const [row, head, bar, number] = ["tr", "th", "td", "td"].map(tag => document.createElement(tag));
    Object.assign(head, { scope: "row", textContent: claim });
    bar.append(Object.assign(document.createElement("span"), { className: "riqa-bar", style: `width: ${100 * p}%` }));
    number.textContent = p.toFixed(2);
    row.append(head, bar, number);
    return row;
  }));
};

/** Draw what the model sees, under the map of the strongest claim against it; return that in words. */
riqa.showSeen = (pen, student, rgba, answer, withMap) => {
  const { width, height } = pen.canvas, { side } = student;
  const lit = (_, n) => (n % 4 < 3 ? rgba[n] : 255 * (rgba[n - 3] + rgba[n - 2] + rgba[n - 1] > 24));
  const paint = (data, of) => pen.drawImage(
    riqa.drawn(of, of, small => small.putImageData(new ImageData(data, of), 0, 0)).canvas, 0, 0, width, height);
  pen.globalCompositeOperation = "copy";
  paint(rgba.map(lit), side);
  const told = `What the model sees: ${side} pixels a side.`;
  if (answer.reason) return told;
  const claims = Object.entries(answer.details).map(([detail, p]) =>
    [1 - p, "details", student.details.indexOf(detail), `${detail} is bad`]);
  const [lowest] = student.classes;
  claims.push([answer.overall[lowest], "overall", 0, `overall quality is ${lowest}`]);
  const [p, task, target, claim] = claims.sort((a, b) => b[0] - a[0])[0];
  const heat = withMap && student.network.gradCam(answer.seen, task, target);
  if (heat) {
    pen.globalCompositeOperation = "source-atop"; // a map lies on the field alone
    const colours = Array.from(heat.cells, value => [255, 90 + 130 * value, 0, 150 * Math.sqrt(value)]);
    paint(Uint8ClampedArray.from(colours.flat()), heat.side);
  }
  return `${told} ${heat ? "Brighter where more speaks for" : "Its strongest claim"}: ${claim} (${p.toFixed(2)}).`;
};
