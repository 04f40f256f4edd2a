// Keys, and little else: every page works without this file.
"use strict";

const rows = [...document.querySelectorAll("[data-row]")];
const current = () => rows.indexOf(document.activeElement.closest("[data-row]"));
const boxes = () => [...document.querySelectorAll(".rows input[name=item]")];
const help = document.getElementById("help");

function focusRow(n) {
  const row = rows[Math.max(0, Math.min(n, rows.length - 1))];
  if (row) {
    row.focus();
    row.scrollIntoView({ block: "nearest" });
  }
}

function count() {
  const shown = document.querySelector("[data-selected]");
  const all = document.querySelector("input[name=all]");
  if (shown) shown.value = all && all.checked ? "all" : boxes().filter((box) => box.checked).length;
}

// A key that stands for a link or a button of the page; in a list, for the row that has the focus.
function press(key) {
  const target = document.querySelector(`[data-key="${key}"]`);
  if (!target) return false;
  const list = target.closest(".found");
  if (list) {
    const all = list.querySelector("input[name=all]");
    const row = rows[current()];
    if (!boxes().some((box) => box.checked) && !(all && all.checked)) {
      if (!row) return true;
      row.querySelector("input[name=item]").checked = true;
    }
    if (row) list.querySelector("[data-back]").value += "#" + row.id;
  }
  target.click();
  return true;
}

const keys = {
  j: () => press("j") || focusRow(current() + 1),
  k: () => press("k") || focusRow(current() < 0 ? 0 : current() - 1),
  x: () => {
    const box = rows[current()]?.querySelector("input[name=item]");
    if (box) box.checked = !box.checked;
    count();
  },
  r: () => press("r"),
  b: () => press("b"),
  u: () => press("u"),
  l: () => press("l"),
  t: () => document.querySelector("[data-focus=t]")?.focus(),
  c: () => document.querySelector("[data-focus=c]")?.focus(),
  e: () => {
    const edit = document.querySelector("[data-edit]");
    if (edit) {
      edit.open = true;
      edit.querySelector("[name=output]").focus();
    }
  },
  "/": () => {
    const search = document.querySelector("[type=search]");
    if (search) search.select();
    else location.href = `${document.querySelector("a.run").href}list#search`;
  },
  "?": () => help?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
  const typing = event.target.matches("textarea, select, input:not([type=checkbox]):not([type=range])");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target.matches("[data-row]")) {
    if (event.target.dataset.href) location.href = event.target.dataset.href;
  } else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

document.addEventListener("change", count);
document.querySelector("[data-help]")?.addEventListener("click", keys["?"]);
document.querySelector(".search select")?.addEventListener("change", (event) => event.target.form.submit());
for (const range of document.querySelectorAll("[data-mirror]")) {
  const field = document.getElementById(range.dataset.mirror);
  range.addEventListener("input", () => (field.value = range.value));
  range.addEventListener("change", () => range.form.requestSubmit());
  field.addEventListener("input", () => (range.value = field.value));
}
if (matchMedia("(max-width: 46rem)").matches) document.querySelector(".facets")?.removeAttribute("open");
count();
if (location.hash === "#search") keys["/"]();
else if (/^#r\d+$/.test(location.hash)) document.querySelector(location.hash)?.focus();
