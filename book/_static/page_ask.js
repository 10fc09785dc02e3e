// "Ask the model": a photograph, a circle around its field of view, and the answer. Nothing leaves the page.
"use strict";
(() => {
  const root = document.getElementById("ask"), { student, find } = riqa.openPage(root) ?? {};
  if (!student) return;
  const sliders = ["x", "y", "r"].map(find), seen = find("seen").getContext("2d");
  const whole = find("photograph").getContext("2d");
  let picture = null, circle = null;
  riqa.offer(find("examples"), student.examples, open);

  async function open(address, name) {
    const image = Object.assign(new Image(), { src: address });
    try {
      await image.decode();
    } catch {
      find("told").textContent = `${name}: the browser cannot read this file as a picture.`;
      return;
    }
    const { naturalWidth: width, naturalHeight: height } = image, scale = Math.min(1, 640 / Math.max(width, height));
    picture = { image, width, height, name, scale };
    Object.assign(whole.canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const most = [width, height, Math.hypot(width, height)].map(Math.ceil);
    sliders.forEach((slider, k) => Object.assign(slider, { min: k === 2 ? 8 : 0, max: most[k] }));
    find("work").hidden = false;
    fit();
  }

  function fit() {
    circle = riqa.fitCircle(picture.image, picture.width, picture.height);
    ask();
  }

  function ask() {
    const { image, name, scale } = picture;
    sliders.forEach(slider => { slider.value = circle[slider.dataset.part]; });
    whole.drawImage(image, 0, 0, whole.canvas.width, whole.canvas.height);
    Object.assign(whole, { lineWidth: 2, strokeStyle: "#ffd000" });
    whole.beginPath();
    whole.arc(circle.x * scale, circle.y * scale, circle.r * scale, 0, 2 * Math.PI);
    whole.stroke();
    const rgba = riqa.crop(image, circle, student.side);
    const answer = riqa.assess(student, rgba, find("anyway").checked);
    riqa.tell(find, name, answer);
    find("map").textContent = riqa.showSeen(seen, student, rgba, answer, find("heat").checked);
  }

  sliders.forEach(slider => slider.addEventListener("input", () => {
    circle[slider.dataset.part] = Number(slider.value);
    ask();
  }));
  whole.canvas.addEventListener("pointermove", event => {
    if (!event.buttons) return;
    const ratio = whole.canvas.width / whole.canvas.clientWidth / picture.scale;
    circle.x += event.movementX * ratio;
    circle.y += event.movementY * ratio;
    ask();
  });
  find("fit").addEventListener("click", fit);
  for (const box of ["heat", "anyway"]) find(box).addEventListener("change", ask);
  const take = file => file && open(URL.createObjectURL(file), file.name);
  find("file").addEventListener("change", event => take(event.target.files[0]));
  for (const kind of ["dragover", "drop"])
    root.addEventListener(kind, event => {
      event.preventDefault();
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
})();
