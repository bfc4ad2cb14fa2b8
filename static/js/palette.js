// Ctrl or ⌘ K opens where one can go ([data-palette] asks for it). [data-press] presses a key of the page
// (js/shortcuts.js); where the page has nothing for it, it is not offered.

const controlFor = ({ dataset }) => document.querySelector(`[data-shortcut="${CSS.escape(dataset.press)}"]`);

document.addEventListener("htmx:afterSwap", () => {
  for (const option of document.querySelectorAll("#hits [data-press]")) option.hidden = !controlFor(option);
});

document.addEventListener("keydown", (event) => {
  const isCalled = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (!isCalled) return;
  event.preventDefault();
  if (!document.querySelector("dialog[open]")) document.querySelector("[data-palette]")?.click();
});

document.addEventListener("click", ({ target }) => {
  const option = target.closest("#hits [data-press]");
  if (!option) return;
  const control = controlFor(option);
  option.closest("dialog").close();
  // After the focus has gone back to where it was.
  setTimeout(() => (control.matches("input, textarea") ? control.focus() : control.click()));
});
