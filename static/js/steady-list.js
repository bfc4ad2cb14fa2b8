// Rows of a list keep their places while a pointer moves over them: whoever is about to click means the one that
// is there. They take their new ones when it leaves or rests. Further down, the browser keeps them in place.

const REST = 3_000; // ms
const list = () => document.querySelector("#newest, #followups-rows");

let movedAt = -Infinity;
let isHeld = false;
let timer = 0;

const isMoving = () => performance.now() - movedAt < REST;
const isAtTop = () => list().closest(".rows, .main").scrollTop === 0;
const isUnderPointer = () => isMoving() && list()?.matches(":hover") && isAtTop();

function hold() {
  if (!isUnderPointer()) return false;
  isHeld = true;
  release();
  return true;
}

function release() {
  if (!isHeld) return;
  clearTimeout(timer);
  if (isUnderPointer()) {
    timer = setTimeout(release, movedAt + REST - performance.now());
    return;
  }
  isHeld = false;
  document.dispatchEvent(new Event("poll:anew"));
}

// Conversations change places (js/keyed-swap.js).
document.addEventListener("keyed:order", (event) => {
  if (event.target === list() && hold()) event.preventDefault();
});

// Follow-ups come in and leave by answers to polls; what is drawn anew in its place may be.
let isPoll = false;
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  isPoll = Boolean(detail.requestConfig?.elt.matches("[data-poll]"));
});
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const { target, fragment } = detail;
  if (!isPoll || !list()?.contains(target)) return;
  const isDrawnAnew = [...fragment.querySelectorAll("tr")].some(({ id, children }) => id === target.id && children.length);
  if (!isDrawnAnew && hold()) detail.shouldSwap = false;
});

document.addEventListener("pointermove", ({ target }) => {
  if (list()?.contains(target)) movedAt = performance.now();
  else release();
});
document.documentElement.addEventListener("pointerleave", release);
