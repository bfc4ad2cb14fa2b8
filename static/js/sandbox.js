// The sandbox's phones: what a form has sent is no longer in it, and the popovers that led to it go away, unless
// it is [data-stays].
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  // The answer may have taken it out of the page.
  const { elt, verb } = detail.requestConfig;
  const form = elt.closest("form");
  if (!form || verb !== "post" || !detail.successful || detail.xhr.status >= 400) return;
  const lab = document.getElementById("lab");
  // A voice message or a place leaves what is being written; a picture takes it along.
  if (form.matches(".ask") || elt.matches(".composer, [value=photo]")) form.reset();
  if (form.matches(":popover-open")) form.hidePopover();
  if (!("stays" in form.dataset) && lab.matches(":popover-open")) lab.hidePopover();
});
