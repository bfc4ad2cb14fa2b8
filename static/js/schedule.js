// The schedule form: the template picker, the note's counter, and what the check found wrong.
// Delegated from the document, so a form that htmx swaps in needs no set-up. forms.js does the live preview.

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

const shownOptions = (picker) => [...picker.querySelectorAll(".option:not([hidden])")];

function filterOptions(search) {
  const list = document.getElementById(search.dataset.filter);
  const words = fold(search.value).split(/\s+/);
  for (const option of list.querySelectorAll(".option")) {
    const text = fold(option.textContent);
    option.hidden = !words.every((word) => text.includes(word));
  }
  list.querySelector(".none").hidden = shownOptions(list).length > 0;
}

function closePicker(picker) {
  picker.open = false;
  picker.querySelector("summary").focus();
}

function count(area) {
  const output = area.form.querySelector(`output[for="${area.id}"]`);
  // Characters as the server counts them, not UTF-16 units.
  const length = [...area.value].length;
  const limit = Number(area.dataset.count);
  output.value = `${length}/${limit}`;
  output.classList.toggle("over", length > limit);
}

// What is being answered anew is no longer known to be wrong; the server looks again at the submit.
function forgive(field) {
  const ids = field.closest("[aria-describedby]")?.getAttribute("aria-describedby").split(" ") ?? [];
  const errors = ids.filter((id) => id.endsWith("error")).map((id) => document.getElementById(id));
  if (!errors.some(Boolean)) return;
  for (const error of errors) error?.remove();
  field.closest("[aria-invalid]")?.removeAttribute("aria-invalid");
  // It says how many are wrong, which is no longer true.
  field.form.querySelector(".banner--error")?.remove();
}

document.addEventListener("input", ({ target }) => {
  if (target.matches(".schedule [name]")) forgive(target);
  if (target.matches("[data-filter]")) filterOptions(target);
  if (target.matches(".schedule [data-count]")) count(target);
});

// What was chosen before needs no choosing again.
document.addEventListener("draft:restored", ({ target }) => {
  const picker = target.querySelector(".picker:has(.option input:checked)");
  if (picker) picker.open = false;
});

// A click chooses and closes; arrow keys only choose (their click has no detail), Enter closes.
document.addEventListener("click", (event) => {
  const option = event.target.closest(".picker .option");
  if (option && event.detail > 0) closePicker(option.closest(".picker"));
});

document.addEventListener("keydown", (event) => {
  const picker = event.key === "Enter" && event.target.matches(".picker input") && event.target.closest(".picker");
  if (!picker) return;
  event.preventDefault();
  if (event.target.matches("[data-filter], [data-search]")) {
    const first = shownOptions(picker)[0]?.querySelector("input");
    if (!first) return;
    if (!first.checked) first.click();
  }
  closePicker(picker);
});

// The moment that is offered instead of one at which it is night where the contact is.
document.addEventListener("click", (event) => {
  const offer = event.target.closest(".quiet-notice [data-date]");
  if (!offer) return;
  event.preventDefault();
  const { date, time, typed } = offer.form.elements;
  const custom = offer.form.querySelector('[type="radio"][name="when"][value="custom"]');
  if (custom) custom.checked = true;
  date.value = offer.dataset.date;
  time.value = offer.dataset.time;
  typed.value = "";
  date.focus();
  date.dispatchEvent(new Event("input", { bubbles: true }));
  date.dispatchEvent(new Event("change", { bubbles: true }));
});

// What is picked takes the place of what was typed, before the draft is kept.
document.addEventListener("input", ({ target }) => {
  if (target.matches('.custom :is([name="date"], [name="time"])')) target.form.elements.typed.value = "";
}, { capture: true });

// What stood there when it was asked about.
let asked = "";
const chosen = () => [...document.querySelectorAll(".schedule .custom input")].map(({ value }) => value).join("\n");
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.closest(".schedule")) asked = chosen();
});

// The check swaps the messages beside the fields, not those that somebody is typing into: what it has understood
// is filled in here, unless they have gone on since: the next answer is about that.
document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
  if (detail.target.id !== "schedule-custom") return;
  const understood = document.getElementById("schedule-custom").dataset;
  const isAnswered = asked === chosen();
  for (const name of ["typed", "date", "time"]) {
    const wrong = document.getElementById(`schedule-${name}-error`) !== null;
    const field = document.querySelector(`.schedule [name="${name}"]`);
    if (understood[name] && isAnswered) field.value = understood[name];
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
});

// On the page of its own the search is hidden where no script runs.
for (const search of document.querySelectorAll(".schedule-page .search[hidden]")) search.hidden = false;
