// "Explore the test photographs": all of them, filtered by label and answer; a click shows map and neighbours.
"use strict";
(() => {
  const root = document.getElementById("explore"), find = name => root.querySelector(`[data-part="${name}"]`);
  const student = riqa.told && !riqa.told.unable ? riqa.openPage(root).student : null; // without it there is no map
  const { side, columns, sprite, images, questions } = riqa.explorer;
  const make = (tag, told, ...children) => {
    const made = Object.assign(document.createElement(tag), told);
    made.append(...children);
    return made;
  };
  const controls = ["question", "truth", "answer"].map(find), sheet = Object.assign(new Image(), { src: sprite });
  const word = (item, value) => (value == null ? "unknown" : questions[item][value]);
  controls[0].append(...Object.keys(questions).map(item => make("option", { textContent: item })));

  /** A small photograph that opens itself. */
  function thumbnail(n) {
    const { id, truth, called } = images[n];
    const both = item => `${item}: ${word(item, truth[item])}, called ${word(item, called[item])}`;
    const said = Object.keys(questions).map(both);
    const button = make("button", { type: "button", className: "riqa-thumbnail", title: [id, ...said].join("\n") });
    button.setAttribute("aria-label", `${id}: ${said.join("; ")}`);
    button.style.backgroundImage = `url(${sprite})`;
    button.style.backgroundSize = `${columns * 100}% auto`;
    button.style.backgroundPosition = `${100 * (n % columns) / Math.max(columns - 1, 1)}% `
      + `${100 * Math.floor(n / columns) / Math.max(Math.ceil(images.length / columns) - 1, 1)}%`;
    button.addEventListener("click", () => show(n));
    return button;
  }

  function list() {
    const item = controls[0].value, [truth, answer] = controls.slice(1).map(one => one.value), apart = find("apart").checked;
    const fits = ({ truth: own, called }) => (!truth || word(item, own[item]) === truth)
      && (!answer || word(item, called[item]) === answer) && (!apart || (own[item] != null && own[item] !== called[item]));
    const chosen = images.map((_, n) => n).filter(n => fits(images[n]));
    find("count").textContent = `${chosen.length} of ${images.length} photographs`;
    find("list").replaceChildren(...chosen.map(thumbnail));
  }

  function choices() {
    for (const control of controls.slice(1))
      control.replaceChildren(make("option", { value: "", textContent: "any" }),
        ...questions[controls[0].value].map(answer => make("option", { textContent: answer })));
    list();
  }

  function show(n) {
    const { id, truth, near } = images[n], pen = find("seen").getContext("2d");
    const cut = riqa.drawn(side, side, small =>
      small.drawImage(sheet, side * (n % columns), side * Math.floor(n / columns), side, side, 0, 0, side, side));
    const rgba = cut.getImageData(0, 0, side, side).data;
    const told = Object.keys(questions).map(item => `${item} ${word(item, truth[item])}`);
    find("shown").hidden = false;
    if (student) {
      const answer = riqa.assess(student, rgba, true);
      riqa.tell(find, id, answer);
      find("map").textContent = riqa.showSeen(pen, student, rgba, answer, true);
    } else pen.drawImage(cut.canvas, 0, 0, pen.canvas.width, pen.canvas.height);
    find("labels").textContent = `People say: ${told.join(", ")}.`;
    find("near").replaceChildren(...near.map(thumbnail));
    find("told").scrollIntoView({ block: "nearest" });
  }

  controls[0].addEventListener("change", choices);
  for (const control of [...controls.slice(1), find("apart")]) control.addEventListener("change", list);
  choices();
})();
