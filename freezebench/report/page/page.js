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
// A table that fits needs no hint.
const hints = () => {
  for (const hint of document.querySelectorAll(".hint")) {
    const box = hint.nextElementSibling;
    hint.hidden = box.scrollWidth <= box.clientWidth;
  }
};
hints();
window.addEventListener("resize", hints);
document.querySelectorAll("details").forEach((details) => details.addEventListener("toggle", hints));
