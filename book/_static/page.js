/* Tables that the text's column would cut are let into the margin (book.css, .full-width). */
"use strict";

for (const table of document.querySelectorAll(".bd-article table")) {
  let box = table;
  while (box && !["auto", "scroll"].includes(getComputedStyle(box).overflowX)) box = box.parentElement;
  if (!box || box.scrollWidth <= box.clientWidth || !box.closest(".bd-article")) continue;
  const whole = box.closest(".cell_output") || box.closest(".pst-scrollable-table-container") || box;
  if (!whole.closest("details, .admonition, dl, li")) whole.classList.add("full-width"); // there they would overlap
}

/* What scrolls can be reached by keyboard: only while it scrolls, so that nobody tabs through tables that fit. */
const reach = () => {
  for (const box of document.querySelectorAll(".bd-article :is(table, div.math, mjx-container[display])")) {
    const scrolls = box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX === "auto";
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
reach();
window.addEventListener("resize", reach);
window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(reach));

/* What is folded is printed all the same. */
for (const [event, open] of [["beforeprint", true], ["afterprint", false]]) {
  window.addEventListener(event, () => {
    for (const fold of document.querySelectorAll(open ? ".bd-article details:not([open])" : "details[data-printed]")) {
      fold.open = open;
      fold.toggleAttribute("data-printed", open);
    }
  });
}
