// Whoever writes in [data-writing="where to say so"] says it now and then; what colleagues see of it,
// [data-lasts="seconds"], is looked at again when it should be over.

const AGAIN = 4_000; // ms
let said = -Infinity;
let saidOf = "";

document.addEventListener("input", ({ target }) => {
  const place = target.closest("[data-writing]")?.dataset.writing;
  if (!place || !target.matches("textarea") || !target.value.trim()) return;
  if (place === saidOf && performance.now() - said < AGAIN) return;
  [said, saidOf] = [performance.now(), place];
  // A hint: where it does not arrive, nothing is lost.
  fetch(place, { method: "POST", headers: JSON.parse(document.body.getAttribute("hx-headers")) }).catch(() => {});
});
// What is sent is no longer written.
document.addEventListener("submit", ({ target }) => {
  if (target.closest("[data-writing]")) said = -Infinity;
});

let timer = 0;
function watch() {
  const seen = document.querySelector("[data-lasts]");
  clearTimeout(timer);
  timer = seen ? setTimeout(lookAgain, seen.dataset.lasts * 1_000) : 0;
}
function lookAgain() {
  document.dispatchEvent(new CustomEvent("live:told", { detail: { kinds: ["writing"] } }));
  watch();
}
document.addEventListener("htmx:afterSettle", watch);
watch();
