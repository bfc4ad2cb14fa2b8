// An answer may take away what has the focus, as a row loses its Cancel once it is canceled. The focus then
// goes to the nearest thing that is still there, not to the top of the page.
const CONTROLS = "a[href], button, input:not([type=hidden]), textarea";
let trail = []; // ids of what had the focus and of what is around it, inside out

// Not on a box to tick: what it is about stands beside it.
const land = (place) => {
  const controls = [place, ...place.querySelectorAll(CONTROLS)].filter((each) => each === place || each.type !== "checkbox");
  const control = controls.find((each) => each.matches(CONTROLS) && each.checkVisibility());
  control?.focus();
  return Boolean(control);
};

document.addEventListener("htmx:beforeSwap", () => {
  trail = [];
  for (let at = document.activeElement; at && at !== document.body; at = at.parentElement) {
    if (at.id) trail.push(at.id);
  }
});
document.addEventListener("htmx:afterRequest", () => {
  const way = trail;
  trail = [];
  if (document.activeElement !== document.body) return;
  way.some((id) => {
    const place = document.getElementById(id);
    return place && land(place);
  });
});
