/* Results of a search with the lines around what was found, from texts.js (written by book/_ext/excerpts.py). */
"use strict";

{
  const BEFORE = 70, LENGTH = 240; // characters of an excerpt
  const terms = splitQuery(new URLSearchParams(window.location.search).get("q") || "").map((term) => term.toLowerCase());

  // Pages that answer a question come first, the reference of functions last.
  Scorer.score = ([page, , , , score]) =>
    score + (BOOK_TEXTS[page]?.answers ? 100 : 0) - (page.startsWith("book/api") ? 10 : 0);

  const firstOf = (text) => {
    const places = terms.map((term) => text.toLowerCase().indexOf(term)).filter((place) => place >= 0);
    return places.length ? Math.min(...places) : -1;
  };

  const found = (text) => terms.filter((term) => text.toLowerCase().includes(term)).length;

  const excerpt = (page, anchor) => {
    const sections = BOOK_TEXTS[page].sections;
    const most = Object.values(sections).reduce((best, text) => (found(text) > found(best) ? text : best), "");
    const text = sections[anchor] || most || Object.values(sections)[0] || "";
    let start = Math.max(0, firstOf(text) - BEFORE);
    if (start > 0) start = text.indexOf(" ", start) + 1;
    let end = Math.min(text.length, start + LENGTH);
    if (end < text.length) end = Math.max(start, text.lastIndexOf(" ", end));
    return (start > 0 ? "… " : "") + text.slice(start, end) + (end < text.length ? " …" : "");
  };

  const marked = (text) => {
    const escaped = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).filter((term) => term);
    const parts = escaped.length ? text.split(new RegExp(`(${escaped.join("|")})`, "gi")) : [text];
    const paragraph = document.createElement("p");
    paragraph.className = "excerpt";
    parts.forEach((part, index) => {
      if (index % 2) paragraph.appendChild(document.createElement("mark")).textContent = part;
      else paragraph.append(part);
    });
    return paragraph;
  };

  const add = (item) => {
    const link = item.querySelector("a");
    const [address, anchor] = link ? link.getAttribute("href").split("#") : [];
    const page = (address || "").replace(/\.html$/, "");
    if (BOOK_TEXTS[page] && !item.querySelector(".excerpt")) item.append(marked(excerpt(page, anchor)));
  };

  document.addEventListener("DOMContentLoaded", () => {
    const results = document.getElementById("search-results");
    new MutationObserver(() => results.querySelectorAll("ul.search > li").forEach(add))
      .observe(results, { childList: true, subtree: true });
  });
}
