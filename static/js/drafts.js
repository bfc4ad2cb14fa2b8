// What somebody types is kept on the device until it is sent or dropped: <form data-draft="what it is about">,
// for each member. It comes back wherever the form is shown again, also after a session has ended; a form with
// [data-draft-typed] has it from the server, which found something wrong.
// [data-draft-part] within it: fields that belong to one choice, as a template's values do.
// [data-draft-of="what it is about"]: shows while there is a draft; [data-draft-drop] forgets it. In the list of
// conversations it takes the place of what was said last (<template id="draft-word">), but for the open one's.

const OURS = "draft/";
const KEPT_FOR = 30 * 24 * 3600 * 1000; // ms
const owner = `${OURS}${document.body.dataset.member}/`;

// Where nothing may be stored, a draft lasts as long as the page.
class Memory extends Map {
  getItem(key) { return this.get(key) ?? null; }
  setItem(key, value) { this.set(key, value); }
  removeItem(key) { this.delete(key); }
}
function storageOf(name) {
  try {
    window[name].setItem(OURS, "");
    window[name].removeItem(OURS);
    return window[name];
  } catch {
    return new Memory();
  }
}
const storage = storageOf("localStorage");
const tab = storageOf("sessionStorage");
const keys = () => (storage instanceof Memory ? [...storage.keys()] : Object.keys(storage));

const keyOf = (about) => owner + about;
const read = (about) => {
  try {
    return JSON.parse(storage.getItem(keyOf(about)) ?? "null");
  } catch {
    return null;
  }
};

function showHints() {
  for (const hint of document.querySelectorAll("[data-draft-of]")) hint.hidden = !read(hint.dataset.draftOf);
  showInList();
}

const REPLY = "reply-";
const word = document.getElementById("draft-word");
function clearList() {
  for (const draft of document.querySelectorAll(".row .draft")) draft.remove();
}
function showInList() {
  clearList();
  for (const key of word ? keys() : []) {
    if (!key.startsWith(owner + REPLY)) continue;
    const about = key.slice(owner.length);
    const row = document.getElementById(`row-${about.slice(REPLY.length)}`);
    const text = read(about)?.values?.["/text"]?.trim();
    if (!row || !text || row.hasAttribute("aria-current")) continue;
    const draft = word.content.firstElementChild.cloneNode(true);
    draft.querySelector("[data-text]").textContent = text.slice(0, 200);
    row.querySelector(".preview").append(draft);
  }
}
// The rows are compared as the server drew them.
document.addEventListener("keyed:before", clearList);
document.addEventListener("keyed:after", showInList);

function forget(about) {
  storage.removeItem(keyOf(about));
  showHints();
}

// Of what is hidden only what tells one submission from another: a form that came back is still the same one.
const isTyped = ({ name, type, dataset }) =>
  name && (type === "hidden" ? "draftKept" in dataset : !["submit", "button"].includes(type));
const fieldsOf = (form) => [...form.elements].filter(isTyped);
const nameOf = (field) => `${field.closest("[data-draft-part]")?.dataset.draftPart ?? ""}/${field.name}`;
const isTypedForm = (form) => form.hasAttribute("data-draft-typed");
const isList = ({ type }) => type === "select-one";
const isTicked = ({ type }) => type === "radio" || type === "checkbox";
const isChoice = (field) => isList(field) || isTicked(field);
const givenIn = ({ options }) => [...options].find((option) => option.defaultSelected) ?? options[0];
const isAsGiven = (field) => {
  if (isList(field)) return field.value === givenIn(field)?.value;
  return isTicked(field) ? field.checked === field.defaultChecked : field.value === field.defaultValue;
};

function save(form) {
  const about = form.dataset.draft;
  const fields = fieldsOf(form);
  const values = read(about)?.values ?? {};
  if (!isTypedForm(form) && fields.every(isAsGiven)) return forget(about);
  for (const field of fields) {
    if (field.type === "checkbox") values[nameOf(field)] = field.checked;
    else if (field.type !== "radio") values[nameOf(field)] = field.value;
    else if (field.checked) values[nameOf(field)] = field.value;
  }
  try {
    storage.setItem(keyOf(about), JSON.stringify({ at: Date.now(), values }));
  } catch {
    // The device is full: what is typed stays in the page.
  }
  showHints();
}

// Put back what differs, and tell whoever listens, as if it had been typed.
let restoring = false;

// A choice from a list that shows only its first: it is made again all the same, and the server looks at it.
function beyond(fields, values) {
  const first = fields.find((field) => field.type === "radio" && field.closest("[data-searched]"));
  const wanted = first && values[nameOf(first)];
  if (!wanted || fields.some((field) => field.name === first.name && field.value === wanted)) return [];
  const radio = Object.assign(first.cloneNode(), { value: wanted, checked: false, hidden: true });
  first.closest("[data-searched]").append(radio);
  return [radio];
}

function restore(form, fields) {
  const values = read(form.dataset.draft)?.values;
  if (!values) return;
  restoring = true;
  for (const field of [...fields, ...beyond(fields, values)]) {
    const value = values[nameOf(field)];
    if (value === undefined) continue;
    const chosen = field.type === "radio" ? field.value === value : value;
    // One of a group is chosen; the others follow.
    if (field.type === "radio" && !chosen) continue;
    const property = isTicked(field) ? "checked" : "value";
    if (field[property] === chosen) continue;
    field[property] = chosen;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  restoring = false;
}

// A field that is taken out of the page while somebody is in it changes once more, after its form was sent.
const sent = new WeakSet();
for (const type of ["input", "change"]) {
  document.addEventListener(type, ({ target: { form } }) => {
    if (type === "input") sent.delete(form);
    if (!restoring && form?.matches("[data-draft]") && !sent.has(form)) save(form);
  });
}

document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  const around = elt.closest("form[data-draft]");
  if (around && around !== elt) {
    restore(around, fieldsOf(around).filter((field) => elt.contains(field)));
  } else {
    const forms = elt.matches("form[data-draft]") ? [elt] : elt.querySelectorAll("form[data-draft]");
    for (const form of forms) {
      if (isTypedForm(form)) save(form);
      else restore(form, fieldsOf(form));
      form.dispatchEvent(new Event("draft:restored", { bubbles: true }));
    }
  }
  showHints();
});

// Sent. An answer that leads elsewhere is the sign-in.
document.addEventListener("htmx:beforeOnLoad", ({ detail: { elt, xhr } }) => {
  const isDone = xhr.status < 300 && !xhr.getResponseHeader("HX-Redirect");
  if (!elt.matches("form[data-draft]") || !isDone) return;
  sent.add(elt);
  forget(elt.dataset.draft);
});
// Without htmx the next page tells: it is neither the form again nor the sign-in.
const SENT = "draft-sent";
document.addEventListener("submit", ({ target }) => {
  const isOurs = target.matches("form[data-draft]") && !target.hasAttribute("hx-post");
  if (isOurs) tab.setItem(SENT, target.dataset.draft);
});
if (document.body.dataset.member) {
  const about = tab.getItem(SENT);
  tab.removeItem(SENT);
  if (about && !document.querySelector(`form[data-draft="${CSS.escape(about)}"]:not([hx-post])`)) forget(about);
}

// A dialog that would take with it what was typed asks first; what was only chosen is chosen again in a moment.
document.addEventListener("dialog:leave", (event) => {
  const form = event.target.querySelector("form[data-draft]");
  if (!form || !read(form.dataset.draft)) return;
  if (!isTypedForm(form) && fieldsOf(form).every((field) => isChoice(field) || isAsGiven(field))) {
    forget(form.dataset.draft);
    return;
  }
  event.preventDefault();
  const question = document.getElementById("draft-question").content.firstElementChild.cloneNode(true);
  question.querySelector("[data-draft-drop]").addEventListener("click", () => {
    forget(form.dataset.draft);
    question.close();
    event.target.close();
  });
  document.body.append(question);
  document.dispatchEvent(new Event("dialog:added"));
});
document.addEventListener("click", ({ target }) => {
  const hint = target.closest("[data-draft-of] [data-draft-drop]")?.closest("[data-draft-of]");
  if (hint) forget(hint.dataset.draftOf);
});

// Who signs out may leave the device to somebody else.
document.addEventListener("submit", ({ target }) => {
  if (!target.matches("[data-sign-out]")) return;
  for (const key of keys()) if (key.startsWith(owner)) storage.removeItem(key);
});
for (const key of keys()) {
  if (!key.startsWith(OURS)) continue;
  try {
    if (Date.now() - JSON.parse(storage.getItem(key)).at < KEPT_FOR) continue;
  } catch {
    // Not one that can be read.
  }
  storage.removeItem(key);
}
