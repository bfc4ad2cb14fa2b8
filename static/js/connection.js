// Whether what the page shows can be trusted: the foot of the sidebar says at once that the server is away, and
// a bar above the page when that has lasted.

const LASTS = 10_000; // ms
const foot = document.getElementById("away");
const bar = document.getElementById("lost");
let timer = 0;
let updated = new Date();
let isAway = false;
let isOff = false;

function showBar() {
  const words = bar.querySelector("small");
  const time = updated.toLocaleTimeString(document.documentElement.lang, {
    hour: "numeric", minute: "2-digit", timeZone: bar.dataset.zone,
  });
  words.textContent = words.dataset.words.replace("{time}", time);
  bar.hidden = false;
}

function show() {
  foot.hidden = !isAway && !isOff;
  if (!isAway) bar.hidden = true;
  for (const button of document.querySelectorAll("[data-needs-server]")) button.disabled = !bar.hidden;
}

function setAway(away) {
  if (!away) updated = new Date();
  if (away === isAway) return;
  isAway = away;
  clearTimeout(timer);
  if (away) timer = setTimeout(() => { showBar(); show(); }, LASTS);
  show();
}

if (foot && bar) {
  document.addEventListener("htmx:sendError", () => setAway(true));
  document.addEventListener("htmx:timeout", () => setAway(true));
  window.addEventListener("offline", () => setAway(true));
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (detail.xhr.status >= 502) setAway(true);
  });
  document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
    if (detail.xhr.status < 500) setAway(false);
  });
  document.addEventListener("live:on", () => { isOff = false; show(); });
  document.addEventListener("live:off", () => { isOff = true; show(); });
}
