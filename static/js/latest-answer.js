// Answers for the inbox may overtake one another: what a person asked for last is what shows. What a poll was
// answered meanwhile is left by js/polling.js.

const begun = new WeakMap();
let asked = 0;
const isOfPerson = ({ detail }) => detail.target?.id === "inbox" && !detail.elt.matches("[data-poll]");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!isOfPerson(event)) return;
  asked += 1;
  begun.set(event.detail.xhr, asked);
});
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if ((begun.get(detail.xhr) ?? asked) !== asked) detail.shouldSwap = false;
});
