// Saved replies open from their button, or with / in an empty message. What is chosen goes into the message, where
// the cursor was; it is never sent by itself.

const CALL = "/";
const message = () => document.getElementById("reply");

document.addEventListener("input", ({ target }) => {
  if (target.id !== "reply" || target.value !== CALL) return;
  const button = target.form.querySelector("[popovertarget^=saved-]");
  document.getElementById(button.getAttribute("popovertarget")).showPopover({ source: button });
});

document.addEventListener("toggle", ({ target, newState }) => {
  if (newState !== "open" || !target.matches(".saved")) return;
  const field = target.querySelector("[role=combobox]");
  field.value = "";
  field.focus();
  htmx.trigger(field, "opened");
}, true);

document.addEventListener("click", ({ target }) => {
  const option = target.closest("[data-put]");
  if (!option) return;
  const field = message();
  option.closest("[popover]").hidePopover();
  const from = field.value === CALL ? 0 : field.selectionStart;
  field.setRangeText(option.dataset.put, from, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});
