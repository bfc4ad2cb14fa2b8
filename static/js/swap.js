// hx-swap="keyed": the answer is compared with the page by id. What is equal stays as it is, with its focus,
// scroll position and screen reader state; inside [data-keyed] the comparison goes on; [data-keep] in the
// answer leaves what the page has (a half-written message).

const same = (old, fresh) => old.isEqualNode(fresh);

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

function update(parent, fresh, added) {
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
    if (child.hasAttribute("data-keep") || same(old, child)) continue;
    if (child.hasAttribute("data-keyed") && old.hasAttribute("data-keyed")) {
      copyAttributes(old, child);
      update(old, child, added);
    } else {
      replace(old, child, added);
    }
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
}

// The thread stands at its end, and follows new messages unless the reader has scrolled up.
const NEAR = 120; // px
const thread = () => document.querySelector(".thread");
const toEnd = (box) => { box.scrollTop = box.scrollHeight; };

const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
let atEnd = true;
document.addEventListener("scroll", ({ target }) => {
  if (target === thread()) atEnd = isAtEnd(target);
}, true);
// A banner or a longer message in the composer takes room from it.
const resized = new ResizeObserver(([{ target }]) => {
  if (atEnd) toEnd(target);
});

function watch(box) {
  atEnd = true;
  toEnd(box);
  resized.disconnect();
  resized.observe(box);
}

function followThread(change) {
  const before = thread();
  change();
  const now = thread();
  if (!now) return;
  if (now !== before) watch(now);
  else if (atEnd) toEnd(now);
  // On a phone the list has given way to the conversation, and the focus with it.
  if (now !== before && document.activeElement?.offsetParent === null) now.focus({ preventScroll: true });
}

// hx-swap="above": what comes in above leaves what is being read where it is.
function insertAbove(target, fragment) {
  const box = target.closest(".thread");
  const { scrollHeight, scrollTop } = box;
  const added = [...fragment.children];
  target.replaceWith(...added);
  box.scrollTop = scrollTop + box.scrollHeight - scrollHeight;
  return added;
}

htmx.defineExtension("keyed", {
  isInlineSwap: (style) => style === "keyed" || style === "above",
  handleSwap(style, target, fragment) {
    if (style === "above") return insertAbove(target, fragment);
    if (style !== "keyed") return false;
    const added = [];
    followThread(() => update(target, fragment, added));
    return added;
  },
});

if (thread()) watch(thread());

// Answers may overtake one another. What a person asked for last is what shows, and a poll that was under
// way while a person asked for something knows too little.
const begun = new WeakMap();
let asked = 0;
let heard = 0;
const ofInbox = ({ detail }) => detail.target?.id === "inbox";
const isPoll = ({ detail }) => detail.requestConfig?.elt.id === "poll";

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!ofInbox(event)) return;
  if (!isPoll(event)) asked += 1;
  begun.set(event.detail.xhr, { asked, heard });
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const then = begun.get(event.detail.xhr);
  if (!then) return;
  if (!isPoll(event)) heard += 1;
  else if (then.heard !== heard) event.detail.shouldSwap = false;
  if (then.asked !== asked) event.detail.shouldSwap = false;
});

// Nobody looks: nothing is asked.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-poll]")) event.preventDefault();
});
