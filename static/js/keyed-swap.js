// hx-swap="keyed": the answer is compared with the page by id. What is equal stays as it is, with its focus,
// scroll position and screen reader state; inside [data-keyed] the comparison goes on; [data-keep] in the
// answer leaves what the page has (a half-written message). Around it, "keyed:before" and "keyed:after" are
// sent to the document. Who cancels "keyed:order", sent to where children come, go or change places, has only
// those brought up to date that stay.

function copyAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function replace(old, fresh, added) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(fresh);
  added.push(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// Whoever listens to something is not interrupted, unless it is gone.
const isBeingHeard = (old, child) => old.querySelector(":scope:not([data-keyed]) [data-begun]") && child.querySelector("audio");

const areInPlace = (children, fresh) =>
  children.length === fresh.length && [...fresh].every(({ id }, n) => id && id === children[n].id);

function update(parent, fresh, added) {
  const mayChange = () => parent.dispatchEvent(new CustomEvent("keyed:order", { bubbles: true, cancelable: true }));
  if (!areInPlace(parent.children, fresh.children) && mayChange()) arrange(parent, fresh, added);
  for (const child of [...fresh.children]) {
    const old = child.id ? [...parent.children].find((each) => each.id === child.id) : null;
    if (old) bringUpToDate(old, child, added);
  }
}

function bringUpToDate(old, child, added) {
  if (child.hasAttribute("data-keep") || old.isEqualNode(child) || isBeingHeard(old, child)) return;
  if (child.hasAttribute("data-keyed") && old.hasAttribute("data-keyed")) {
    copyAttributes(old, child);
    update(old, child, added);
  } else {
    replace(old, child, added);
  }
}

function arrange(parent, fresh, added) {
  let place = parent.firstElementChild;
  for (const child of [...fresh.children]) {
    const old = child.id ? [...parent.children].find((each) => each.id === child.id) : null;
    if (!old) {
      parent.insertBefore(child, place);
      added.push(child);
      continue;
    }
    if (old === place) place = place.nextElementSibling;
    else parent.insertBefore(old, place);
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
}

htmx.defineExtension("keyed", {
  isInlineSwap: (style) => style === "keyed",
  handleSwap(style, target, fragment) {
    if (style !== "keyed") return false;
    const added = [];
    document.dispatchEvent(new Event("keyed:before"));
    update(target, fragment, added);
    document.dispatchEvent(new Event("keyed:after"));
    return added;
  },
});
