"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    head.querySelector("button").addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      const sign = direction === "ascending" ? 1 : -1;
      const value = (row) => row.cells[place].dataset.value;
      const rows = [...body.rows].sort((a, b) => {
        const [left, right] = [value(a), value(b)];
        // Missing figures stay last in both directions.
        if (left === undefined || right === undefined) return (left === undefined) - (right === undefined);
        return sign * (Number(left) - Number(right));
      });
      body.append(...rows);
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", direction);
    });
  });
}
for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "copied";
  });
}
// A table that fits needs no hint, and no stop of the Tab key.
const fit = () => {
  for (const box of document.querySelectorAll(".scroll")) {
    const fits = box.scrollWidth <= box.clientWidth;
    box.previousElementSibling.hidden = fits;
    box.tabIndex = fits ? -1 : 0;
  }
};
fit();
window.addEventListener("resize", fit);
document.querySelectorAll("details").forEach((details) => details.addEventListener("toggle", fit));
