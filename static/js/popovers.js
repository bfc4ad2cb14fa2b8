// What HTML's popovers cannot do alone.

// What opens a popover: of two buttons the one that this width of the page shows. Others ask by "popover:invoker".
const invoker = (popover) =>
  [...document.querySelectorAll(`[popovertarget="${popover.id}"], [data-popover="${popover.id}"]`)]
    .find((element) => element.checkVisibility());
document.addEventListener("popover:invoker", ({ target, detail }) => {
  detail.invoker = invoker(target);
});

// A link that opens a popover here and its own page elsewhere (new tab, no script).
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-popover]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const popover = document.getElementById(link.dataset.popover);
  if (popover.matches(":popover-open")) popover.hidePopover();
  else popover.showPopover({ source: link });
});

// A truncated note opens on hover and focus; Escape or leaving closes it, unless a click has made it stay.
const tipOf = (button) => document.getElementById(button.getAttribute("popovertarget"));
const hint = (show) => (event) => {
  const button = event.target.closest?.("[data-hint]");
  if (!button || (event.relatedTarget && button.contains(event.relatedTarget))) return;
  // A finger hovers only while it taps.
  if (event.pointerType === "touch") return;
  const tip = tipOf(button);
  if (!tip || tip.matches(":popover-open") === show) return;
  if (show) tip.showPopover({ source: button });
  else if (event.type === "focusout") tip.hidePopover();
  else if (!("stays" in tip.dataset) && event.relatedTarget?.closest?.(".tip") !== tip) tip.hidePopover();
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-hint]");
  if (!button) return;
  // Instead of the toggle that the browser would do: what hovering or focus has opened stays open.
  event.preventDefault();
  const tip = tipOf(button);
  if ("stays" in tip.dataset) {
    tip.hidePopover();
  } else {
    tip.dataset.stays = "";
    if (!tip.matches(":popover-open")) tip.showPopover({ source: button });
  }
});
document.addEventListener("toggle", ({ target, newState }) => {
  if (newState === "closed") delete target.dataset.stays;
}, true);
for (const type of ["pointerover", "focusin"]) document.addEventListener(type, hint(true));
for (const type of ["pointerout", "focusout"]) document.addEventListener(type, hint(false));

// A menu opens on its first item.
document.addEventListener("toggle", ({ target, newState }) => {
  if (newState === "open" && target.matches(".menu")) target.querySelector("a, button")?.focus();
}, true);

// Browsers without anchor positioning: put the popover beside its button.
if (!CSS.supports("position-area: block-end")) {
  const place = (popover) => {
    const at = invoker(popover)?.getBoundingClientRect();
    if (!at) return;
    const { style, offsetWidth, offsetHeight } = popover;
    const below = at.bottom + offsetHeight + 8 < innerHeight;
    style.top = `${below ? at.bottom : Math.max(8, at.top - offsetHeight - 8)}px`;
    style.left = `${Math.max(8, Math.min(at.right - offsetWidth, innerWidth - offsetWidth - 8))}px`;
  };
  document.addEventListener("toggle", ({ target, newState }) => {
    if (newState === "open" && target.matches(".menu, .tip, .notices")) place(target);
  }, true);
  // What a menu holds may come when it is open.
  document.addEventListener("htmx:load", ({ target }) => {
    const menu = target.closest(".menu:popover-open");
    if (menu) place(menu);
  });
}
