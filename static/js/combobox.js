// A field that keeps the focus while arrows choose among the options of the list that it controls, and Enter takes
// the chosen one: <input role="combobox" aria-controls="list">. What is found anew begins with its first option.

const listOf = (field) => document.getElementById(field.getAttribute("aria-controls"));
const optionsOf = (field) =>
  [...(listOf(field)?.querySelectorAll("[role=option]:not([hidden], [aria-disabled=true])") ?? [])];

function choose(field, option) {
  for (const each of optionsOf(field)) each.setAttribute("aria-selected", each === option);
  field.setAttribute("aria-activedescendant", option?.id ?? "");
  option?.scrollIntoView({ block: "nearest" });
}

// After whoever hides some of them.
document.addEventListener("htmx:afterSwap", () => setTimeout(() => {
  for (const field of document.querySelectorAll("[role=combobox]")) {
    if (!listOf(field)?.querySelector("[aria-selected=true]")) choose(field, optionsOf(field)[0]);
  }
}));

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!field.matches("[role=combobox]") || event.isComposing) return;
  const all = optionsOf(field);
  const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    choose(field, all[(at + step + all.length) % all.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    all[at]?.click();
  }
});
