// The thread of messages stands at its end, and follows new ones unless the reader has scrolled up.

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

let before = thread();
if (before) watch(before);

document.addEventListener("keyed:before", () => { before = thread(); });
document.addEventListener("keyed:after", () => {
  const now = thread();
  if (!now) return;
  if (now !== before) watch(now);
  else if (atEnd) toEnd(now);
  // On a phone the list has given way to the conversation, and the focus with it.
  if (now !== before && document.activeElement?.offsetParent === null) now.focus({ preventScroll: true });
});

// hx-swap="above": what comes in above leaves what is being read where it is.
htmx.defineExtension("above", {
  isInlineSwap: (style) => style === "above",
  handleSwap(style, target, fragment) {
    if (style !== "above") return false;
    const box = target.closest(".thread");
    const { scrollHeight, scrollTop } = box;
    const added = [...fragment.children];
    target.replaceWith(...added);
    box.scrollTop = scrollTop + box.scrollHeight - scrollHeight;
    return added;
  },
});
