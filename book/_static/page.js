/* Tables that the text's column would cut are let into the margin (book.css, .full-width). */
"use strict";

for (const table of document.querySelectorAll(".bd-article table")) {
  let box = table;
  while (box && !["auto", "scroll"].includes(getComputedStyle(box).overflowX)) box = box.parentElement;
  if (!box || box.scrollWidth <= box.clientWidth || !box.closest(".bd-article")) continue;
  const whole = box.closest(".cell_output") || box.closest(".pst-scrollable-table-container") || box;
  if (!whole.closest("details, .admonition, dl, li")) whole.classList.add("full-width"); // there they would overlap
}

/* What is folded is printed all the same. */
for (const [event, open] of [["beforeprint", true], ["afterprint", false]]) {
  window.addEventListener(event, () => {
    for (const fold of document.querySelectorAll(open ? ".bd-article details:not([open])" : "details[data-printed]")) {
      fold.open = open;
      fold.toggleAttribute("data-printed", open);
    }
  });
}
