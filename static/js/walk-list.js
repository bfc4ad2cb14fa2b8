// J and K: the next and the previous conversation of the list, one after the other before an answer is there.

const STEPS = { j: 1, k: -1 };
let chosen = null;

document.addEventListener("shortcut", (event) => {
  const step = STEPS[event.detail];
  if (!step) return;
  event.preventDefault();
  const rows = [...document.querySelectorAll(".rows .row")];
  const at = rows.findIndex((row) => (chosen ? row.id === chosen : row.hasAttribute("aria-current")));
  const row = rows[at < 0 ? 0 : at + step];
  if (!row) return;
  chosen = row.id;
  row.scrollIntoView({ block: "nearest" });
  row.click();
});
document.addEventListener("keyed:after", () => {
  chosen = null;
});
