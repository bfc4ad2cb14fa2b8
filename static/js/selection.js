// Which rows of the table are ticked. The boxes belong to the form #bulk wherever they stand; rows that a poll
// brings up to date, and a list that is drawn anew, keep their ticks.
const form = document.getElementById("bulk");
const picked = new Set();

const boxes = () => [...document.querySelectorAll("[name=pick][form=bulk]")];
const whole = () => document.querySelector("[name=all][form=bulk]");
let isWhole = false;

function show() {
  const all = boxes();
  const here = document.querySelector("[data-pick-page]");
  if (here) {
    here.disabled = !all.length;
    here.checked = all.length > 0 && picked.size === all.length;
    here.indeterminate = picked.size > 0 && !here.checked;
  }
  const said = form.querySelector("output");
  const words = isWhole ? said.dataset.all : said.dataset.selected;
  const number = isWhole ? document.getElementById("followups-all-count").textContent : picked.size;
  said.textContent = words.replace("{n}", number);
}

function read() {
  isWhole = Boolean(whole()?.checked);
  picked.clear();
  for (const box of boxes()) if (box.checked) picked.add(box.value);
  show();
}

// What is gone from the page is chosen no longer.
function restore() {
  if (whole()) whole().checked = isWhole;
  for (const box of boxes()) box.checked = isWhole || picked.has(box.value);
  read();
}

function clear() {
  isWhole = false;
  picked.clear();
  restore();
}

if (form) {
  document.addEventListener("change", ({ target }) => {
    if (target.matches("[data-pick-page]")) {
      for (const box of boxes()) box.checked = target.checked;
    } else if (target.form !== form) {
      return;
    }
    if (target === whole()) {
      for (const box of boxes()) box.checked = target.checked;
    } else if (whole() && !target.checked) {
      whole().checked = false;
    }
    read();
  });
  // The boxes follow in a moment. An answer that comes in between must not tick them again.
  form.addEventListener("reset", () => {
    isWhole = false;
    picked.clear();
    setTimeout(read);
  });
  document.addEventListener("selection:clear", clear);
  document.addEventListener("htmx:oobAfterSwap", restore);
  // Other filters: what was ticked is another list's. The same ones are asked for twice where a field loses the focus.
  let shown = "";
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id !== "followups-list") return;
    const { finalRequestPath } = detail.pathInfo;
    if (finalRequestPath === shown) restore();
    else clear();
    shown = finalRequestPath;
  });
  // A browser that goes back may have kept them.
  window.addEventListener("pageshow", read);
  read();
}
