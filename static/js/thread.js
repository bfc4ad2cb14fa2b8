// The thread of messages stands at its end, and follows new ones unless the reader has scrolled up: then a pill
// counts what comes in, and leads there.

const NEAR = 80; // px
const thread = () => document.querySelector(".thread");
const toEnd = (box) => { box.scrollTop = box.scrollHeight; };
const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;

const received = (box) => [...box.querySelectorAll(".bubble--in")].map((bubble) => bubble.parentElement.id);

let atEnd = true;
let missed = 0;
function showPill() {
  if (atEnd) missed = 0;
  const pill = document.querySelector(".to-latest");
  if (!pill) return;
  const words = pill.querySelector("[data-one]");
  words.textContent = missed > 1 ? words.dataset.many.replace("{n}", missed) : missed ? words.dataset.one : "";
  pill.hidden = atEnd;
}
document.addEventListener("scroll", ({ target }) => {
  if (target !== thread()) return;
  atEnd = isAtEnd(target);
  // What came in below is read now.
  if (atEnd && missed) document.dispatchEvent(new Event("poll:anew"));
  showPill();
}, true);

// What comes in below is not read until somebody is there.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "poll" && !atEnd) detail.parameters.away = "1";
});
document.addEventListener("click", ({ target }) => {
  if (!target.closest(".to-latest")) return;
  toEnd(thread());
  thread().focus({ preventScroll: true });
});

// A banner or a longer message in the composer takes room from it.
const resized = new ResizeObserver(([{ target }]) => {
  if (atEnd) toEnd(target);
});

function watch(box) {
  atEnd = true;
  showPill();
  toEnd(box);
  resized.disconnect();
  resized.observe(box);
}

let before = thread();
let known = new Set();
if (before) watch(before);

document.addEventListener("keyed:before", () => {
  before = thread();
  known = new Set(before ? received(before) : []);
});
document.addEventListener("keyed:after", () => {
  const now = thread();
  if (!now) return;
  if (now !== before) watch(now);
  else if (atEnd) toEnd(now);
  else {
    missed += received(now).filter((id) => !known.has(id)).length;
    showPill();
  }
  // On a phone the list has given way to the conversation, and the focus with it.
  const focused = document.activeElement;
  if (now !== before && focused !== document.body && focused?.offsetParent === null) now.focus({ preventScroll: true });
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
