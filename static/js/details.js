// What was opened before htmx listened (a page that has just come in) is loaded like what is opened afterwards.
document.addEventListener("htmx:load", ({ target }) => {
  for (const details of target.querySelectorAll("details[open][hx-get]")) htmx.trigger(details, "toggle");
});
