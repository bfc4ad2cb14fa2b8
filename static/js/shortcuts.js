// <… data-shortcut="r">: that key goes into the field, or clicks what is no field. Never while somebody writes,
// with a modifier, under a dialog, or where the member has switched single keys off (body[data-keys]).

const field = "input, textarea, select, [contenteditable]";
const isOpen = () => document.querySelector("dialog[open], [popover]:not(#toasts):popover-open");

function press(key) {
  const control = document.querySelector(`[data-shortcut="${CSS.escape(key)}"]`);
  if (!control) return document.dispatchEvent(new CustomEvent("shortcut", { detail: key, cancelable: true }));
  if (control.matches(field)) control.focus();
  else control.click();
  return false;
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isOpen()) return;
  if (key === "Escape") {
    if (target.matches(field)) target.blur();
    else press(key);
    return;
  }
  const isLetter = key.toLowerCase() !== key.toUpperCase();
  if (key.length > 1 || event.repeat || (isLetter && event.shiftKey)) return;
  if (!document.body.dataset.keys || target.closest(field)) return;
  if (!press(key.toLowerCase())) event.preventDefault();
});

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-single-keys]")) document.body.dataset.keys = target.checked ? "on" : "";
});
