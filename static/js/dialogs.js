// <dialog data-open>: htmx puts it into the page, it opens; closed, it leaves the page, but not before the answer
// to what was asked in it: htmx finds no place for an answer whose asker is gone. Before a person leaves it,
// "dialog:leave" is sent to it: whoever prevents that keeps it open.
let opener = null;

// A menu's item is gone with its menu: the focus goes back to what opens the menu (js/popovers.js).
const lasting = (element) => {
  const menu = element?.closest("[popover]");
  if (!menu) return element;
  const asked = new CustomEvent("popover:invoker", { bubbles: true, detail: {} });
  menu.dispatchEvent(asked);
  return asked.detail.invoker;
};

function openNew(requester) {
  // One that has been open is closed: it leaves a moment later, and must not come back for that moment.
  const dialog = document.querySelector("dialog[data-open='']");
  if (!dialog) return;
  dialog.dataset.open = "once";
  const asker = lasting(requester ?? document.activeElement);
  opener ??= asker;
  dialog.showModal();
  if (dialog.matches(".dialog--beside") && asker) place(dialog, asker.getBoundingClientRect());
}

// Below what asked for it, or above it, or over it, wherever there is room; the style sheet says when that counts.
const GAP = 8; // px
function place(dialog, at) {
  const { offsetWidth, offsetHeight, style } = dialog;
  const lowest = innerHeight - offsetHeight - GAP;
  const above = at.top - offsetHeight - GAP / 2;
  const below = at.bottom + GAP / 2;
  const top = below > lowest && above >= GAP ? above : Math.max(GAP, Math.min(below, lowest));
  style.setProperty("--top", `${top}px`);
  style.setProperty("--left", `${Math.max(GAP, Math.min(at.left, innerWidth - offsetWidth - GAP))}px`);
}

document.addEventListener("htmx:afterSwap", (event) => openNew(event.detail.requestConfig?.elt));
document.addEventListener("dialog:added", () => openNew());
openNew();

const mayLeave = (dialog) =>
  dialog.dispatchEvent(new Event("dialog:leave", { bubbles: true, cancelable: true }));

document.addEventListener("click", (event) => {
  const dialog = event.target.closest("[data-close]")?.closest("dialog");
  if (!dialog) return;
  event.preventDefault();
  if (mayLeave(dialog)) dialog.close();
});
// Escape, or a phone's way back.
document.addEventListener("cancel", (event) => {
  if (event.target.matches("dialog[data-open]") && !mayLeave(event.target)) event.preventDefault();
}, true);
// All of them, the last one first, as each hands the focus back to the one below it: a question asked over a
// drawer is about what the drawer shows.
document.addEventListener("dialog:close", () => {
  for (const dialog of [...document.querySelectorAll("dialog[data-open][open]")].reverse()) dialog.close();
});

function sweep() {
  for (const dialog of document.querySelectorAll("dialog[data-open=once]:not([open])")) {
    if (!dialog.querySelector(".htmx-request")) dialog.remove();
  }
}
document.addEventListener("htmx:afterRequest", sweep);
document.addEventListener("close", (event) => {
  if (!event.target.matches("dialog[data-open]")) return;
  sweep();
  // A swap may have put another element with the same id into its place.
  const back = opener?.isConnected ? opener : opener?.id && document.getElementById(opener.id);
  opener = null;
  if (back) back.focus();
}, true);
