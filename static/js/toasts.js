// Toasts: it happened. They leave by themselves, but not while somebody reads them.
const LASTS = 8000; // ms
// A live region is heard only where it was before what it says.
const SETTLES = 100; // ms
const region = document.getElementById("toasts");
const timers = new WeakMap();

const keep = (toast) => clearTimeout(timers.get(toast));
const leaveLater = (toast) => {
  keep(toast);
  timers.set(toast, setTimeout(() => toast.remove(), LASTS));
};

// Above an open dialog, which covers everything else; and inside it, as it takes life from all around it.
function raise() {
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  const moves = region.parentElement !== place;
  if (moves) place.append(region);
  region.popover = "manual";
  if (region.matches(":popover-open")) region.hidePopover();
  region.showPopover();
  return moves;
}

function show({ title, text = "", tone = "ok", url = "", link = "", posts = false }) {
  const toast = document.getElementById(tone === "error" ? "toast-error" : "toast-ok").content
    .firstElementChild.cloneNode(true);
  toast.querySelector("b").textContent = title;
  toast.querySelector("p span").textContent = text;
  const anchor = toast.querySelector("a");
  const form = toast.querySelector("form");
  const isOurs = url.startsWith("/") && !url.startsWith("//");
  if (isOurs && posts) {
    form.action = url;
    form.setAttribute("hx-post", url);
    form.querySelector("button").textContent = link;
    htmx.process(form);
  } else {
    form.remove();
  }
  if (isOurs && !posts) {
    anchor.href = url;
    anchor.textContent = link;
  } else {
    anchor.remove();
  }
  setTimeout(() => {
    region.append(toast);
    leaveLater(toast);
  }, raise() ? SETTLES : 0);
}

for (const toast of region.children) leaveLater(toast);
document.addEventListener("toast", (event) => show(event.detail));
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-dismiss]")) event.target.closest("[data-toast]").remove();
});
// What it offered is done.
document.addEventListener("htmx:afterRequest", (event) => event.target.closest("[data-toast]")?.remove());
// Before js/dialogs.js takes the closed dialog out of the page, and all in it.
document.addEventListener("close", (event) => {
  if (event.target.contains(region)) raise();
}, true);
for (const [types, act] of [[["pointerover", "focusin"], keep], [["pointerout", "focusout"], leaveLater]]) {
  for (const type of types) {
    region.addEventListener(type, (event) => {
      const toast = event.target.closest("[data-toast]");
      if (toast) act(toast);
    });
  }
}

// What a person has asked for and did not get. A poll that fails tries again by itself.
const problems = document.getElementById("problems").content;
const complain = (event) => {
  if (event.target.matches("[data-poll]")) return;
  const status = event.detail.xhr?.status;
  const problem = problems.querySelector(`[data-status="${status}"]`) ?? problems.querySelector("[data-status=other]");
  const [title, text] = [...problem.children].map((each) => each.textContent);
  show({ title, text, tone: "error" });
};
document.addEventListener("htmx:responseError", complain);
document.addEventListener("htmx:sendError", complain);
