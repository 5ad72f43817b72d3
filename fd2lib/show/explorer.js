// The explorer: what is chosen puts one of the prepared frames in the place of another. Each form is set up once.
document.querySelectorAll("form.fd2-explorer:not([data-ready])").forEach((form) => {
  form.dataset.ready = "yes";
  const { pictures, sets } = JSON.parse(form.querySelector('script[type="application/json"]').textContent);
  const view = form.querySelector(".fd2-view");
  const list = (name) => form.querySelector(`select[data-choice="${name}"]`);
  const radio = (name) => Number(form.querySelector(`input[name="${name}"]:checked`).value);

  function show() {
    const { frames } = sets[list("set").selectedIndex];
    const frame = frames[radio("method")][radio("ipc")][list("class").selectedIndex];
    view.innerHTML = frame.view;
    view.querySelectorAll("img").forEach((image) => { image.src = pictures[image.dataset.picture]; });
    form.querySelector("output").textContent = frame.summary;
  }

  function choose(set) {
    list("class").replaceChildren(...sets[set].classes.map((name) => new Option(name)));
  }

  form.addEventListener("change", (event) => {
    if (event.target === list("set")) choose(list("set").selectedIndex);
    show();
  });
  form.querySelectorAll("button[data-step]").forEach((button) => button.addEventListener("click", () => {
    const names = list("class");
    names.selectedIndex = (names.selectedIndex + Number(button.dataset.step) + names.length) % names.length;
    show();
  }));
  form.reset(); // a browser that comes back to a page may have kept choices that the frame does not show
});
