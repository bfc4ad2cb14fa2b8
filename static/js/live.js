// The stream that tells what has changed (trochai/live): one for all tabs of a browser. The tab that holds the
// lock reads it and passes on what it hears.

const address = document.body.dataset.events;
// Milliseconds. The server says something every 15 seconds.
const SILENT = 40_000;
// A stream that ends comes back within three seconds; until then nothing is lost.
const GRACE = 6_000;
// Between two tries where the server refuses, at first and at most.
const FIRST = 2_000;
const MOST = 60_000;

if (address && navigator.locks && window.BroadcastChannel) {
  const tabs = new BroadcastChannel("live");
  let source = null;
  let isOn = false;
  let wait = FIRST;
  let silence = 0;
  let grace = 0;
  let again = 0;

  const dispatch = (type, detail) => document.dispatchEvent(new CustomEvent(type, { detail }));
  function turn(on) {
    if (on === isOn) return;
    isOn = on;
    dispatch(on ? "live:on" : "live:off");
  }

  function hear({ type, kinds, moment }) {
    clearTimeout(silence);
    if (type === "lost") return turn(false);
    silence = setTimeout(lose, SILENT);
    const wasOn = isOn;
    turn(true);
    // What changed while nobody listened.
    if (type === "hello" && wasOn) dispatch("live:told", { kinds: ["*"] });
    if (type === "changed") dispatch("live:told", { kinds, moment });
  }

  function pass(news) {
    tabs.postMessage(news);
    hear(news);
  }

  // Nothing comes any more: from the server, or from a tab that the browser has put to sleep.
  function lose() {
    turn(false);
    if (source) connect();
    else lead({ steal: true });
  }

  function disconnect() {
    source?.close();
    source = null;
    clearTimeout(again);
    clearTimeout(grace);
    grace = 0;
  }

  function connect() {
    disconnect();
    source = new EventSource(address);
    source.addEventListener("hello", () => {
      clearTimeout(grace);
      grace = 0;
      wait = FIRST;
      pass({ type: "hello" });
    });
    source.addEventListener("beat", () => pass({ type: "beat" }));
    source.addEventListener("changed", ({ data, lastEventId }) => {
      pass({ type: "changed", kinds: data.split(" "), moment: lastEventId });
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(grace);
        pass({ type: "lost" });
        again = setTimeout(connect, wait * (0.5 + Math.random()));
        wait = Math.min(2 * wait, MOST);
      } else {
        grace ||= setTimeout(pass, GRACE, { type: "lost" });
      }
    });
  }

  function lead(options) {
    const held = navigator.locks.request("live", options, () => {
      connect();
      return new Promise(() => {});
    });
    held.catch(() => {
      // Another tab has taken over.
      disconnect();
      lead({});
    });
  }

  tabs.addEventListener("message", ({ data }) => hear(data));
  window.addEventListener("online", () => {
    if (source) connect();
  });
  document.addEventListener("click", ({ target }) => {
    if (source && target.closest("[data-try-now]")) connect();
  });
  lead({});
}
