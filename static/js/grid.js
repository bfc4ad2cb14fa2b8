// table[role=grid]: one stop for Tab; arrow keys, Home and End go from link to link, Enter follows. What has no link
// is passed over. Without this module each link is a stop of its own.
const ACROSS = { ArrowLeft: -1, ArrowRight: 1 };
const DOWN = { ArrowUp: -1, ArrowDown: 1 };
// Where somebody is: stays when the grid is drawn anew.
let chosen = "";

const rowsOf = (grid) => [...grid.rows].map((row) => [...row.cells].map((cell) => cell.querySelector("a")));

function stopAt(link) {
  for (const each of link.closest("[role=grid]").querySelectorAll("a")) each.tabIndex = each === link ? 0 : -1;
}

function prepare() {
  for (const grid of document.querySelectorAll("[role=grid]")) {
    const links = [...grid.querySelectorAll("a")];
    const today = grid.querySelector("[aria-current=date], .today a");
    const stop = links.find((link) => link.id === chosen) ?? today ?? links[0];
    if (stop) stopAt(stop);
  }
}

function target(event, link) {
  const rows = rowsOf(link.closest("[role=grid]"));
  const row = rows.findIndex((cells) => cells.includes(link));
  const all = rows.flat().filter(Boolean);
  // From the end of a week to the beginning of the next one.
  if (ACROSS[event.key]) return all[all.indexOf(link) + ACROSS[event.key]];
  if (DOWN[event.key]) {
    const column = rows.map((cells) => cells[rows[row].indexOf(link)]);
    const way = DOWN[event.key] > 0 ? column.slice(row + 1) : column.slice(0, row).reverse();
    return way.find(Boolean);
  }
  const links = event.ctrlKey ? all : rows[row].filter(Boolean);
  return { Home: links[0], End: links.at(-1) }[event.key];
}

document.addEventListener("keydown", (event) => {
  const link = event.target.closest?.("[role=grid] a");
  if (!link || event.altKey || event.metaKey || event.shiftKey) return;
  const to = target(event, link);
  if (!to) return;
  event.preventDefault();
  to.focus();
});
document.addEventListener("focusin", ({ target: link }) => {
  if (!link.matches("[role=grid] a")) return;
  chosen = link.id;
  stopAt(link);
});
document.addEventListener("keyed:after", prepare);
prepare();
