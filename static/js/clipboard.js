// <button data-copy="what is copied" data-copied="Copied">: the second is what the button says afterwards; one
// that is an icon says it in a toast.

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const said = button.dataset.copied;
  if (button.matches(".btn--icon")) document.dispatchEvent(new CustomEvent("toast", { detail: { title: said } }));
  else button.textContent = said;
});
