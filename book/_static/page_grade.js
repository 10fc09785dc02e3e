// "Grade twelve": the reader grades photographs, some of them twice, and sees with whom the grades agree.
// With a folder of one's own photographs it is a tool for annotation. What is graded stays in this browser.
"use strict";
(() => {
  const root = document.getElementById("grade"), find = name => root.querySelector(`[data-part="${name}"]`);
  const questions = { overall: ["reject", "usable", "good"] };
  for (const detail of riqa.twelve.details) questions[detail] = ["bad", "good"];
  const make = (tag, told, ...children) => {
    const made = Object.assign(document.createElement(tag), told);
    made.append(...children);
    return made;
  };
  let photographs = [], looks = [], at = 0, own = false;

  /** Begin with photographs {id, address, ...}: in an order drawn by lot, a quarter of them again at the end. */
  function begin(given, isOwn) {
    const mixed = list => list.map(one => [Math.random(), one]).sort((a, b) => a[0] - b[0]).map(pair => pair[1]);
    [photographs, own, at] = [mixed(given), isOwn, 0];
    const n = photographs.length, again = mixed(photographs.slice(0, Math.ceil(n / 2))).slice(0, Math.ceil(n / 4));
    looks = [...photographs.map(one => ({ one, session: 1 })), ...again.map(one => ({ one, session: 2 }))];
    find("desk").hidden = false;
    find("found").hidden = true;
    ask();
  }

  function ask() {
    const { one } = looks[at], alt = `Photograph ${at + 1} of ${looks.length}`;
    Object.assign(find("photograph"), { src: one.address, alt });
    find("count").textContent = alt;
    find("questions").replaceChildren(...Object.entries(questions).map(([item, answers]) =>
      make("fieldset", {}, make("legend", { textContent: item }), ...answers.map((answer, k) => {
        const radio = make("input", { type: "radio", name: item, value: k, required: true });
        return make("label", {}, radio, ` ${answer} `);
      }))));
    find("questions").querySelector("input").focus();
  }

  find("form").addEventListener("submit", event => {
    event.preventDefault();
    const given = new FormData(event.target);
    looks[at].said = Object.fromEntries(Object.keys(questions).map(item => [item, Number(given.get(item))]));
    at++;
    if (at < looks.length) ask();
    else end();
  });

  /** What two people said of the same things, 0 or 1: how often the same, Cohen's kappa and Gwet's AC1. */
  riqa.agreement = (a, b) => {
    const n = a.length, [p, q] = [a, b].map(own => own.reduce((sum, x) => sum + x, 0) / n), middle = (p + q) / 2;
    const same = a.filter((x, k) => x === b[k]).length / n;
    const beyond = chance => (same - chance) / (1 - chance);
    return { n, same, kappa: beyond(p * q + (1 - p) * (1 - q)), ac1: beyond(2 * middle * (1 - middle)) };
  };

  function end() {
    find("desk").hidden = true;
    find("found").hidden = false;
    find("compared").hidden = own;
    compare();
    find("found").querySelector("button").focus();
  }

  function compare() {
    const chosen = find("which").value, items = chosen === "all" ? riqa.twelve.details : [chosen];
    const [first, second] = [1, 2].map(session => looks.filter(look => look.session === session));
    const names = new Set(first.flatMap(({ one }) => Object.keys(one.said ?? {})));
    const heard = name => [name, first.map(look => [look.said, look.one.said[name]])];
    const pairs = Object.fromEntries([...names].sort().map(heard));
    pairs["you, on a second look"] = second.map(look => [first.find(other => other.one === look.one).said, look.said]);
    find("rows").replaceChildren(...Object.entries(pairs).map(([name, both]) => {
      const all = both.flatMap(([mine, other]) => items.map(item => [mine[item], other?.[item]]));
      const known = all.filter(pair => pair[1] != null), [mine, others] = [0, 1].map(k => known.map(pair => pair[k]));
      const { n, same, kappa, ac1 } = riqa.agreement(mine, others);
      const shown = [kappa, ac1].map(x => (Number.isFinite(x) ? x.toFixed(2) : "–"));
      const cells = [n, `${(100 * same).toFixed(0)} %`, ...shown].map(textContent => make("td", { textContent }));
      return make("tr", {}, make("th", { scope: "row", textContent: name }), ...cells);
    }));
  }

  function save(name, lines) {
    const file = new Blob([lines.map(line => `${line}\n`).join("")], { type: "text/plain" });
    make("a", { href: URL.createObjectURL(file), download: name }).click();
  }

  const quoted = text => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const items = Object.keys(questions), words = ({ said }) => items.map(item => questions[item][said[item]]);
  find("looks").addEventListener("click", () => {
    const lines = looks.map(look => [quoted(look.one.id), look.session, ...words(look)].join());
    save("looks.csv", [["image", "session", ...items].join(), ...lines]);
  });
  find("labels").addEventListener("click", () => {
    const first = looks.filter(look => look.session === 1);
    const lines = first.map(look => [quoted(look.one.id), ...words(look)].join());
    save("labels.csv", [["image", ...items].join(), ...lines]);
    const columns = ["image", ...items].map(item => `  ${item}: ${item}`);
    save("dataset.yaml", ["name: my_photographs", "labels: labels.csv", "n_classes: 3", "columns:", ...columns]);
  });
  find("which").addEventListener("change", compare);
  find("begin").addEventListener("click", () => begin(riqa.twelve.photographs, false));
  find("folder").addEventListener("change", event => {
    const files = [...event.target.files].filter(file => file.type.startsWith("image/"));
    const inside = file => file.webkitRelativePath.split("/").slice(1).join("/") || file.name;
    if (files.length) begin(files.map(file => ({ id: inside(file), address: URL.createObjectURL(file) })), true);
  });
  find("print").addEventListener("click", () => {
    const blank = Object.entries(questions).map(([item, answers]) => `${item}: ${answers.join(" / ")}`).join("   ");
    const { details, photographs: twelve } = riqa.twelve;
    const sheet = twelve.map((one, k) => {
      const image = make("img", { src: one.address, alt: `Photograph ${k + 1}` });
      return make("figure", {}, image, make("figcaption", { textContent: `${k + 1}   ${blank}` }));
    });
    const told = ([who, said]) => {
      const known = details.filter(detail => said[detail] != null);
      return `${who}: ${known.map(detail => `${detail} ${questions[detail][said[detail]]}`).join(", ")}`;
    };
    const key = twelve.map(one => make("li", { textContent: Object.entries(one.said).map(told).join("; ") }));
    const head = make("h2", { textContent: "Key" });
    const page = make("section", { className: "riqa-sheet" }, ...sheet, head, make("ol", {}, ...key));
    document.body.append(page);
    window.addEventListener("afterprint", () => page.remove(), { once: true });
    window.print();
  });
})();
