// Rows of the list keep their places while a pointer moves over them: whoever is about to click means the one
// that is there. They take their new ones when it leaves or rests. Further down, the browser keeps them in place.

const REST = 3_000; // ms
const list = () => document.getElementById("newest");

let movedAt = -Infinity;
let isHeld = false;
let timer = 0;

const isMoving = () => performance.now() - movedAt < REST;
const isUnderPointer = () => isMoving() && list().matches(":hover") && list().closest(".rows").scrollTop === 0;

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

document.addEventListener("keyed:order", (event) => {
  if (event.target !== list()) return;
  isHeld = isUnderPointer();
  if (!isHeld) return;
  event.preventDefault();
  release();
});
document.addEventListener("pointermove", ({ target }) => {
  if (list()?.contains(target)) movedAt = performance.now();
  else release();
});
document.documentElement.addEventListener("pointerleave", release);
