// Files for a message: [data-attach] names where each is uploaded to, at once; so are files that are pasted into
// the composer or dropped on the panel. The answer takes the place of its row in the tray, and has the field that
// sends it. Send waits for uploads.

const BAD = "bad";
const trayOf = (form) => form.querySelector(".tray");

function follow(form) {
  const tray = trayOf(form);
  form.querySelector("textarea").required = !tray.querySelector("[name=attached]");
  form.toggleAttribute("data-uploading", Boolean(tray.querySelector("progress")));
  form.querySelector("#send").disabled = form.hasAttribute("data-uploading");
}

function rowFor(form, file) {
  const row = form.querySelector("[data-tray-row]").content.firstElementChild.cloneNode(true);
  row.querySelector(".truncate").textContent = file.name;
  const remove = row.querySelector("[data-remove]");
  remove.setAttribute("aria-label", remove.getAttribute("aria-label").replace("{n}", file.name));
  return row;
}

function refuse(row, words) {
  row.classList.add(BAD);
  row.querySelector("progress").remove();
  row.querySelector("small").textContent = words;
}

function upload(form, file) {
  const { attach: address, failed } = form.querySelector("[data-attach]").dataset;
  const row = rowFor(form, file);
  trayOf(form).append(row);
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const bar = row.querySelector("progress");
    if (bar && total) bar.value = loaded / total;
  });
  request.addEventListener("loadend", () => {
    if (!row.isConnected) return;
    // A session that has ended leads elsewhere.
    const isTaken = request.status === 200 && new URL(request.responseURL).pathname === address;
    if (isTaken) row.outerHTML = request.responseText;
    else refuse(row, request.status === 422 ? request.responseText : failed);
    follow(form);
  });
  row.addEventListener("tray:removed", () => request.abort());
  request.open("POST", address);
  for (const [name, value] of Object.entries(JSON.parse(document.body.getAttribute("hx-headers")))) {
    request.setRequestHeader(name, value);
  }
  const body = new FormData();
  body.append("file", file);
  request.send(body);
  follow(form);
}

function take(form, files) {
  for (const file of files) upload(form, file);
}

// Whoever else switches Send on or submits the form: without the file it would be another message.
document.addEventListener("submit", (event) => {
  if (!event.target.hasAttribute("data-uploading")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

const composerOf = (element) => element.closest?.(".panel")?.querySelector(".composer:has([data-attach])");

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-attach]")) return;
  take(target.form, target.files);
  target.value = "";
});
document.addEventListener("paste", (event) => {
  const form = event.target.matches(".composer textarea") && event.target.form;
  if (!form || !event.clipboardData.files.length || !form.querySelector("[data-attach]")) return;
  event.preventDefault();
  take(form, event.clipboardData.files);
});
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files") && composerOf(event.target)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const form = composerOf(event.target);
  if (!form || !event.dataTransfer.files.length) return;
  event.preventDefault();
  take(form, event.dataTransfer.files);
});
document.addEventListener("click", ({ target }) => {
  const row = target.closest("[data-remove]")?.closest(".tray li");
  if (!row) return;
  const { form } = row.closest("form").elements.text;
  row.dispatchEvent(new Event("tray:removed"));
  row.remove();
  follow(form);
  form.elements.text.focus();
});
