// Fields: counters, the live preview of a template's values, and the composer.

// data-counter names the <output>; from data-counter-from on (default 0) it shows.
document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-counter]")) {
    const output = document.getElementById(target.dataset.counter);
    const from = Number(target.dataset.counterFrom ?? 0);
    output.value = target.value.length >= from ? `${target.value.length}/${target.maxLength}` : "";
  }
  if (target.matches("[data-var]")) {
    for (const slot of target.form.querySelectorAll(`.var[data-slot="${CSS.escape(target.dataset.var)}"]`)) {
      slot.textContent = target.value || slot.dataset.empty;
      slot.classList.toggle("var--empty", !target.value);
    }
  }
});

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  // Enter sends, Shift+Enter breaks the line; while a word is being composed it is the keyboard's. A note takes
  // Ctrl+Enter: nobody who means the one does the other.
  if (key === "Enter" && !event.shiftKey && !event.isComposing && target.matches(".composer textarea")) {
    if (target.matches(".composer--note textarea") && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { form } = target;
    const says = target.value.trim() || form.querySelector("[name=attached]");
    if (says && !target.readOnly) form.requestSubmit();
  }
});

// While a message is on its way nothing typed may be lost with the form that the answer replaces.
for (const [type, locked] of [["htmx:beforeRequest", true], ["htmx:afterRequest", false]]) {
  document.addEventListener(type, ({ target }) => {
    if (target.matches(".composer")) target.querySelector("textarea").readOnly = locked;
  });
}

// What is wrong with a field is in sight with it.
document.addEventListener("htmx:afterSettle", () => {
  const field = document.activeElement;
  if (field?.matches("form [aria-invalid]")) field.closest(".field")?.scrollIntoView({ block: "nearest" });
});

// Sent or refused: the next thing to do is in the composer.
document.addEventListener("htmx:afterSettle", (event) => {
  const composer = event.detail.requestConfig?.elt;
  if (composer?.matches(".composer")) document.getElementById(composer.id)?.querySelector("textarea").focus();
});

// Reply or note: whoever has chosen by a click or its key writes; whoever walks through the radios does not.
document.addEventListener("click", ({ target }) => {
  // The radio gets a click of its own, also from arrow keys.
  const compose = !target.matches("input") && target.closest(".segmented label")?.closest(".compose");
  if (!compose) return;
  setTimeout(() => [...compose.querySelectorAll("textarea")].find((field) => field.checkVisibility())?.focus());
});
