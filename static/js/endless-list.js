// Older conversations come in below the page that polls keep current: [id^="older"] has them until the list is
// another one. A row that newer ones push off that page goes to their beginning; one that moved up leaves them.

const newest = () => [...document.querySelectorAll("#newest > [id^='item-']")];
const older = () => document.querySelector("#rows > [id^='older']");

let shown = [];
let list = null;

document.addEventListener("keyed:before", () => {
  shown = newest();
  list = older();
});
document.addEventListener("keyed:after", () => {
  const below = older();
  if (!below) return;
  const now = new Set(newest().map((row) => row.id));
  for (const row of below.querySelectorAll("[id^='item-']")) if (now.has(row.id)) row.remove();
  if (below === list) {
    const last = newest().at(-1);
    const pushed = shown.filter((row) => !row.isConnected && isOlder(row, last));
    below.querySelector("ul").prepend(...pushed);
  }
  for (const row of below.querySelectorAll(".row")) {
    if (row.id === `row-${opened()}`) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
});

const at = (row) => row.querySelector("time").dateTime;
// One that has left the list is not merely pushed down: it would be newer than the last one that shows.
const isOlder = (row, last) => last && !document.getElementById(row.id) && Date.parse(at(row)) <= Date.parse(at(last));
const opened = () => document.querySelector("#state [name='open']").value;
