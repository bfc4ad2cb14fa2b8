// What an open page asks by itself.

// Nobody looks: nothing is asked.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-poll]")) event.preventDefault();
});

// The title has the number that stands at the inbox.
document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
  if (detail.target.id !== "inbox-count") return;
  const { count } = document.getElementById("inbox-count").dataset;
  document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\+?\) /, "");
});

// The server is away, or back.
const show = (isAway) => {
  const away = document.getElementById("away");
  if (away) away.hidden = !isAway;
};
document.addEventListener("htmx:sendError", () => show(true));
document.addEventListener("htmx:timeout", () => show(true));
document.addEventListener("htmx:responseError", ({ detail }) => show(detail.xhr.status >= 502));
document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
  if (detail.xhr.status < 500) show(false);
});
