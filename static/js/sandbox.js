// The sandbox's phones: what a form has sent is no longer in it, and the popover that asked for it goes away.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const form = detail.elt.closest("form");
  if (!form || detail.requestConfig.verb !== "post" || !detail.successful || detail.xhr.status >= 400) return;
  const lab = document.getElementById("lab");
  if (form.matches(".composer, .ask")) form.reset();
  if (form.matches(":popover-open")) form.hidePopover();
  if (form.closest("#events") && lab.matches(":popover-open")) lab.hidePopover();
});
