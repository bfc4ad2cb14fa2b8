// Ctrl or ⌘ K opens where one can go ([data-palette] asks for it). The field keeps the focus; arrows choose among
// the options that it controls, Enter takes the chosen one. [data-press] presses a key of the page (js/shortcuts.js);
// where the page has nothing for it, it is not offered.

const field = () => document.querySelector(".dialog--palette[open] [role=combobox]");
const options = () => [...document.querySelectorAll("#hits [role=option]:not([hidden])")];
const controlFor = ({ dataset }) => document.querySelector(`[data-shortcut="${CSS.escape(dataset.press)}"]`);

function choose(option) {
  for (const each of options()) each.setAttribute("aria-selected", each === option);
  field().setAttribute("aria-activedescendant", option?.id ?? "");
  option?.scrollIntoView({ block: "nearest" });
}

function prepare() {
  if (!field() || document.querySelector("#hits [aria-selected=true]")) return;
  for (const option of document.querySelectorAll("#hits [data-press]")) option.hidden = !controlFor(option);
  choose(options()[0]);
}
document.addEventListener("htmx:afterSwap", () => setTimeout(prepare));

document.addEventListener("keydown", (event) => {
  const isCalled = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (isCalled) {
    event.preventDefault();
    if (!document.querySelector("dialog[open]")) document.querySelector("[data-palette]")?.click();
    return;
  }
  if (!field() || event.target !== field() || event.isComposing) return;
  const all = options();
  const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    choose(all[(at + step + all.length) % all.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    all[at]?.click();
  }
});

document.addEventListener("click", ({ target }) => {
  const option = target.closest("#hits [data-press]");
  if (!option) return;
  const control = controlFor(option);
  option.closest("dialog").close();
  // After the focus has gone back to where it was.
  setTimeout(() => (control.matches("input, textarea") ? control.focus() : control.click()));
});
