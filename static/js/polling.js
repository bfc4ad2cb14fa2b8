// What an open page asks by itself. [data-poll] names the kinds of change that a part of it shows; it asks when
// a stream tells of one of them (js/live.js), and now and then in any case.

// Milliseconds. Between two looks: with a stream, for words like "in 3 hours"; while it is away; without any;
// and while the server does not answer.
const TOLD = 60_000;
const AWAY = 5_000;
const ALONE = 700;
const FAILING = 2_000;
// After being told: so that the pages of a team do not all ask at once, and none asks all the time.
const SPREAD = 150;
const PAUSE = 700;
// A server that is slow to answer is asked less often.
const REST = 4;

const everything = ["*"];
const hasStreams = Boolean(document.body.dataset.events);
const due = new Set();
const begun = new WeakMap();
// What a stream has told last, and because of what is asked.
let moment = "";
let asksOf = "";
let isTold = false;
let isFailing = false;
let took = 0;
let asked = 0;
let looksAt = 0;
let asksAt = Infinity;
let timer = 0;

function askAt(time) {
  if (time >= asksAt) return;
  asksAt = time;
  clearTimeout(timer);
  timer = setTimeout(ask, Math.max(0, time - performance.now()));
}

function look() {
  const interval = isTold ? TOLD : hasStreams ? AWAY : ALONE;
  looksAt = performance.now() + (isFailing ? FAILING : Math.max(interval, REST * took));
  askAt(looksAt);
}

function want(kinds) {
  for (const kind of kinds) due.add(kind);
  const now = performance.now();
  askAt(Math.max(now + Math.random() * SPREAD, asked + Math.max(PAUSE, REST * took)));
}

const isDue = (poll) => due.has("*") || poll.dataset.poll.split(" ").some((kind) => due.has(kind));

function ask() {
  asksAt = Infinity;
  const now = performance.now();
  if (now >= looksAt) {
    due.add("*");
    look();
  } else {
    askAt(looksAt);
  }
  // Nobody looks: it is asked when somebody does. Nor for a page that is being left: it would read what comes in.
  if (document.hidden || isLeaving || isAwaited()) return;
  const polls = [...document.querySelectorAll("[data-poll]")].filter(isDue);
  // What is under way may know too little: it is asked again after it.
  if (polls.some((poll) => begun.has(poll) && isUnderWay(begun.get(poll).xhr))) return;
  asksOf = due.has("*") ? "" : moment;
  due.clear();
  asked = now;
  for (const poll of polls) htmx.trigger(poll, "poll");
}

function askNow() {
  due.add("*");
  askAt(performance.now());
}

document.addEventListener("live:told", ({ detail }) => {
  if (detail.moment) moment = detail.moment;
  want(detail.kinds);
});
// #poll asks for the whole answer, whatever has changed since the last one; or says because of which moment it
// asks, as its colleagues' pages do.
let isAnew = false;
document.addEventListener("poll:anew", () => {
  isAnew = true;
  want(everything);
});
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id !== "poll") return;
  if (asksOf) detail.parameters.moment = asksOf;
  if (!isAnew) return;
  detail.parameters.v = "";
  isAnew = false;
});
for (const [type, isOn] of [["live:on", true], ["live:off", false]]) {
  document.addEventListener(type, () => {
    isTold = isOn;
    look();
    want(everything);
  });
}
document.addEventListener("visibilitychange", askNow);
window.addEventListener("online", askNow);
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-try-now]")) askNow();
});

// An answer to a person's own request takes its place in what they have asked from. A poll that was under way
// meanwhile knows too little, and would take that place away: it is asked again. None begins until it is there.
const isUnderWay = (xhr) => xhr.readyState !== XMLHttpRequest.UNSENT && xhr.readyState !== XMLHttpRequest.DONE;
const wanted = new Set();
let answered = 0;
function isAwaited() {
  for (const each of wanted) if (!isUnderWay(each)) wanted.delete(each);
  return wanted.size > 0;
}
document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (detail.elt.matches("[data-poll]")) begun.set(detail.elt, { xhr: detail.xhr, at: performance.now(), answered });
  else wanted.add(detail.xhr);
});
// A form that is sent without htmx leaves the page, as an answer does that leads elsewhere: what is told meanwhile
// must not lead anywhere else.
let isLeaving = false;
document.addEventListener("submit", ({ defaultPrevented }) => {
  isLeaving ||= !defaultPrevented;
});
window.addEventListener("pageshow", () => {
  isLeaving = false;
});
function fail() {
  isFailing = true;
  look();
}
document.addEventListener("htmx:sendError", fail);
document.addEventListener("htmx:timeout", fail);
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.xhr.status >= 500) fail();
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { elt, xhr } = event.detail;
  if (xhr.status < 500) isFailing = false;
  const poll = begun.get(elt);
  if (poll?.xhr !== xhr) {
    answered += 1;
    isLeaving ||= Boolean(xhr.getResponseHeader("HX-Redirect"));
    return;
  }
  took = performance.now() - poll.at;
  if (!isLeaving && !isAwaited() && poll.answered === answered) return;
  // All of it, and what it would tell: a drawer must not close a question that has just been answered.
  event.preventDefault();
  due.add("*");
});
document.addEventListener("htmx:afterRequest", () => {
  if (due.size) want([]);
});
document.addEventListener("DOMContentLoaded", look);

// The title has the number that stands at the inbox.
document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
  if (detail.target.id !== "inbox-count") return;
  const { count } = document.getElementById("inbox-count").dataset;
  document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\+?\) /, "");
});
