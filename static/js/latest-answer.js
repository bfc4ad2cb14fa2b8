// Answers for the inbox may overtake one another. What a person asked for last is what shows, and a poll that
// was under way while a person asked for something knows too little.

const begun = new WeakMap();
let asked = 0;
let heard = 0;
const ofInbox = ({ detail }) => detail.target?.id === "inbox";
const isPoll = ({ detail }) => detail.requestConfig?.elt.matches("[data-poll]");

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
