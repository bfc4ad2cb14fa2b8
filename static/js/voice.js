// <div class="voice--player">: plays its <audio> from what the server has drawn. While one is begun
// ([data-begun="playing"] or "paused"), a poll leaves it as it is (js/keyed-swap.js); at its end it is as it was.

const SPEEDS = [1, 1.5, 2];
const KEY = "voice-speed";
const audioOf = (player) => player.querySelector("audio");
const playerOf = (element) => element.closest?.(".voice--player");

let speed = SPEEDS[0];
try {
  speed = SPEEDS.find((each) => String(each) === localStorage.getItem(KEY)) ?? speed;
} catch {
  // Where nothing may be stored, it is chosen anew on each page.
}
const showSpeed = () => { document.documentElement.dataset.voiceSpeed = speed; };
showSpeed();

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const lengthOf = (player) => {
  const { duration } = audioOf(player);
  return Number.isFinite(duration) ? duration : Number(player.dataset.length);
};

function draw(player) {
  const { currentTime } = audioOf(player);
  const length = lengthOf(player);
  const part = length ? Math.min(1, currentTime / length) : 0;
  const range = player.querySelector("input");
  range.value = part;
  range.setAttribute("aria-valuetext", `${clock(currentTime)} / ${clock(length)}`);
  const peaks = [...player.querySelectorAll("rect")];
  peaks.forEach((peak, n) => peak.classList.toggle("on", n < part * peaks.length));
  player.querySelector(".length").textContent = `${clock(currentTime)} / ${clock(length)}`;
}

function begin(player) {
  const button = player.querySelector(".play");
  player.dataset.was ??= player.querySelector(".length").textContent;
  player.dataset.begun = audioOf(player).paused ? "paused" : "playing";
  button.setAttribute("aria-label", audioOf(player).paused ? button.dataset.play : button.dataset.pause);
}

function end(player) {
  audioOf(player).currentTime = 0;
  draw(player);
  const button = player.querySelector(".play");
  button.setAttribute("aria-label", button.dataset.play);
  player.querySelector("input").removeAttribute("aria-valuetext");
  for (const peak of player.querySelectorAll("rect")) peak.removeAttribute("class");
  player.querySelector(".length").textContent = player.dataset.was;
  delete player.dataset.was;
  delete player.dataset.begun;
}

document.addEventListener("click", ({ target }) => {
  const player = playerOf(target);
  if (!player) return;
  const audio = audioOf(player);
  if (target.closest(".play")) {
    audio.playbackRate = speed;
    if (audio.paused) audio.play();
    else audio.pause();
  } else if (target.closest(".speed")) {
    speed = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length];
    try {
      localStorage.setItem(KEY, speed);
    } catch {
      // As above.
    }
    showSpeed();
    for (const each of document.querySelectorAll(".voice--player > audio")) each.playbackRate = speed;
  }
});
document.addEventListener("input", ({ target }) => {
  const player = playerOf(target);
  if (!player || target.type !== "range") return;
  audioOf(player).currentTime = target.value * lengthOf(player);
  begin(player);
  draw(player);
});
const follow = (type, act) => document.addEventListener(type, ({ target }) => {
  const player = playerOf(target);
  if (player) act(player);
}, true);
follow("play", (player) => {
  // One at a time.
  for (const each of document.querySelectorAll("audio")) if (each !== audioOf(player)) each.pause();
  begin(player);
});
follow("pause", begin);
follow("timeupdate", (player) => {
  if (player.dataset.begun) draw(player);
});
follow("ended", end);
