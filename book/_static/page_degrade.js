// "Degrade a photograph": sliders spoil it; what experts would say, and what the model says, follow.
"use strict";
(() => {
  const SIDE = 192, root = document.getElementById("degrade"), { student, find } = riqa.openPage(root) ?? {};
  if (!student) return;
  const pen = find("photograph").getContext("2d"), seen = find("seen").getContext("2d"), { experts } = student;
  let clean = null, inside = null, name = "", due = 0, turn = 0;
  riqa.offer(find("examples"), student.clean, open);
  open(...Object.entries(student.clean)[0].reverse());

  async function open(address, caption) {
    const image = Object.assign(new Image(), { src: address });
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    name = caption;
    clean = riqa.crop(image, riqa.fitCircle(image, width, height), SIDE);
    inside = Uint8Array.from({ length: SIDE * SIDE }, (_, n) => clean[4 * n] + clean[4 * n + 1] + clean[4 * n + 2] > 0);
    spoil();
  }

  function spoil() {
    const severities = {}, rows = [];
    let score = 0;
    for (const detail of student.details) {
      const severity = Number(find(detail).value);
      severities[find(`${detail}-defect`).value] = severity;
      score += (experts.weights[detail] * severity) ** 2;
      const bad = riqa.callBad(experts, detail, severity);
      const said = severity > experts.threshold ? "bad" : "good";
      rows.push([detail, severity.toFixed(2), `${(100 * bad).toFixed(0)} %`, said]);
    }
    score = Math.sqrt(score);
    const grade = student.classes[experts.grades.filter(limit => score <= limit).length];
    find("graders").textContent = `Graders perceive ${score.toFixed(2)} and say: ${grade}.`;
    find("experts").replaceChildren(...rows.map(cells => {
      const row = document.createElement("tr");
      const cell = (textContent, k) => Object.assign(document.createElement(k ? "td" : "th"), { textContent });
      row.append(...cells.map(cell));
      row.firstChild.scope = "row";
      return row;
    }));
    const spoilt = riqa.degrade(clean, inside, SIDE, severities), mine = ++turn;
    riqa.drawn(SIDE, SIDE, small => small.putImageData(new ImageData(spoilt, SIDE), 0, 0)).canvas
      .toBlob(async file => { // compressed as cameras do, and as the photographs that the model has learned from
        const whole = await createImageBitmap(file);
        if (mine === turn) ask(whole);
      }, "image/jpeg", 0.92);
  }

  function ask(whole) {
    pen.drawImage(whole, 0, 0);
    const middle = (SIDE - 1) / 2, circle = { x: middle, y: middle, r: SIDE / 2, box: [0, 0, SIDE, SIDE] };
    const rgba = riqa.crop(whole, circle, student.side);
    const answer = riqa.assess(student, rgba, find("anyway").checked);
    riqa.tell(find, name, answer);
    find("map").textContent = riqa.showSeen(seen, student, rgba, answer, true);
  }

  root.addEventListener("input", () => { // once per picture that the screen shows
    cancelAnimationFrame(due);
    due = requestAnimationFrame(spoil);
  });
})();
