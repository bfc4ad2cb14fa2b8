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
    drop(below);
  }
  for (const row of below.querySelectorAll(".row")) {
    if (row.id === `row-${opened()}`) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
});

// A day's rows would gather below what is read: beyond data-most those far below the screen go, and come in anew.
function drop(below) {
  const rows = [...below.querySelectorAll("[id^='item-']")];
  const last = rows[below.dataset.most - 1];
  const way = below.querySelector(".pages");
  if (!way || !rows[below.dataset.most] || isNear(last)) return;
  for (const row of rows.slice(below.dataset.most)) row.remove();
  // htmx keeps the address that it has read: another link takes its place.
  const further = way.cloneNode(true);
  const link = further.querySelector("a");
  for (const name of ["href", "hx-get"]) {
    link.setAttribute(name, link.getAttribute(name).replace(/before=[^&]*/, `before=${last.dataset.after}`));
  }
  way.replaceWith(further);
  htmx.process(further);
}

const isNear = (row) => row.getBoundingClientRect().top < 2 * innerHeight;
const at = (row) => row.querySelector("time").dateTime;
// One that has left the list is not merely pushed down: it would be newer than the last one that shows.
const isOlder = (row, last) => last && !document.getElementById(row.id) && Date.parse(at(row)) <= Date.parse(at(last));
const opened = () => document.querySelector("#state [name='open']").value;
