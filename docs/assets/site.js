"use strict";
// What the theme leaves to pointers: boxes that scroll sideways, and the buttons of narrow screens.
const scrollable = () => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, pre > code")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
const button = (label, name) => {
  const input = document.getElementById(label.htmlFor);
  label.tabIndex = 0;
  label.setAttribute("role", "button");
  label.setAttribute("aria-label", name);
  label.addEventListener("keydown", (event) => {
    if (event.key !== " ") return; // The theme has the Enter key.
    event.preventDefault();
    label.click();
  });
  const state = () => label.setAttribute("aria-expanded", String(input.checked));
  input.addEventListener("change", state);
  state();
};
// The theme puts tables into boxes and buttons beside code when the page is there; this comes after it.
document$.subscribe(() => {
  setTimeout(() => {
    scrollable();
    for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "table");
    }
    // One landmark for each block of code would hide those of the page.
    document.querySelectorAll(".md-code__nav").forEach((bar) => bar.setAttribute("role", "none"));
  });
  document.querySelector(".md-search").setAttribute("aria-label", "Search");
  button(document.querySelector(".md-header label[for=__drawer]"), "Menu");
  button(document.querySelector(".md-header label[for=__search]"), "Search");
});
window.addEventListener("resize", scrollable);
