// The stage: before and after, drawn from one video that holds both, so that they cannot get out of step.

import { button, h, setText } from "./dom.js";
import { clock } from "./words.js";

const MOST = 16;
const NEAR = 28;
const SPEEDS = [0.1, 0.25, 0.5, 1, 2];

/** `layout` is what play.json says; `moved` hears each new frame's number. */
export function stage(address, layout, moved) {
  const { width, height, offset, times, pixel_shape: shape } = layout;
  const film = h("video", { src: address, playsinline: true, loop: true, preload: "auto", class: "film", tabindex: "-1", "aria-hidden": "true" });
  film.muted = true;
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": "The clip, before on the left of the line and after on its right. When enlarged, arrow keys move the picture." });
  const split = h("div", { class: "split", tabindex: "0", role: "slider", "aria-label": "How much is shown as it was before", "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal" });
  const tags = [h("span", { class: "tag left" }, "before"), h("span", { class: "tag right" }, "after")];
  const box = h("div", { class: "stage" }, film, canvas, tags, split);
  box.style.setProperty("--shape", String((width * shape) / height));
  const look = { split: 0.5, strength: 1, zoom: 1, x: 0.5, y: 0.5 };

  const draw = () => {
    const context = canvas.getContext("2d");
    const [wide, high] = [canvas.width, canvas.height];
    if (!wide || film.readyState < 2) return;
    const seen = { w: width / look.zoom, h: height / look.zoom };
    const from = { x: (width - seen.w) * look.x, y: (height - seen.h) * look.y };
    context.imageSmoothingEnabled = wide / seen.w < 3;
    const cut = Math.round(look.split * wide);
    context.globalAlpha = 1;
    context.drawImage(film, from.x, from.y, seen.w, seen.h, 0, 0, wide, high);
    if (cut >= wide) return;
    context.globalAlpha = look.strength;
    const share = cut / wide;
    context.drawImage(film, offset[0] + from.x + share * seen.w, offset[1] + from.y, (1 - share) * seen.w, seen.h, cut, 0, wide - cut, high);
  };
  const fit = () => {
    const dense = Math.min(devicePixelRatio || 1, 2);
    const [wide, high] = [Math.round(canvas.clientWidth * dense), Math.round(canvas.clientHeight * dense)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    draw();
  };
  const watching = new ResizeObserver(fit);
  watching.observe(canvas);

  let frame = -1;
  const show = (time) => {
    const now = frameAt(times, time);
    if (now !== frame) {
      frame = now;
      setText(place, `${clock(times[now], 2)} · frame ${now + 1} of ${times.length}`);
      moved(now);
    }
    draw();
  };
  let alive = true;
  const each = (_, facts) => {
    show(facts?.mediaTime ?? film.currentTime);
    if (alive) next();
  };
  const next = () => (film.requestVideoFrameCallback ? film.requestVideoFrameCallback(each) : requestAnimationFrame(each));
  next();
  for (const kind of ["loadeddata", "seeked"]) film.addEventListener(kind, () => show(film.currentTime));

  const seek = (number) => {
    const wanted = Math.min(times.length - 1, Math.max(0, number));
    const after = times[wanted + 1] ?? times[wanted] + 0.02;
    film.currentTime = (times[wanted] + after) / 2;
  };
  const step = (by) => { film.pause(); seek(Math.max(frame, 0) + by); };  // prettier-ignore
  const toggle = () => (film.paused ? film.play() : film.pause());
  const setSplit = (share) => {
    look.split = Math.min(1, Math.max(0, share));
    box.style.setProperty("--at", `${100 * look.split}%`);
    split.setAttribute("aria-valuenow", String(Math.round(100 * look.split)));
    draw();
  };
  const setZoom = (zoom, px = 0.5, py = 0.5) => {
    const now = Math.min(MOST, Math.max(1, zoom));
    for (const [axis, at] of [["x", px], ["y", py]]) {
      const point = look[axis] * (1 - 1 / look.zoom) + at / look.zoom;
      look[axis] = now > 1 ? limited((point - at / now) / (1 - 1 / now)) : 0.5;
    }
    look.zoom = now;
    setText(zoomed, `${now.toFixed(now < 10 ? 1 : 0)}×`);
    canvas.classList.toggle("movable", now > 1);
    draw();
  };
  const pan = (dx, dy) => {
    if (look.zoom <= 1) return;
    look.x = limited(look.x - dx / (look.zoom - 1));
    look.y = limited(look.y - dy / (look.zoom - 1));
    draw();
  };
  gestures(box, canvas, look, { setSplit, setZoom, pan, toggle });
  box.addEventListener("keydown", (event) => {
    const onSplit = event.target === split;
    const keys = {
      ArrowLeft: () => (onSplit ? setSplit(look.split - 0.02) : pan(0.1, 0)),
      ArrowRight: () => (onSplit ? setSplit(look.split + 0.02) : pan(-0.1, 0)),
      ArrowUp: () => (onSplit ? setSplit(look.split + 0.02) : pan(0, 0.1)),
      ArrowDown: () => (onSplit ? setSplit(look.split - 0.02) : pan(0, -0.1)),
      Home: () => setSplit(0), End: () => setSplit(1), " ": toggle, ",": () => step(-1), ".": () => step(1),
      "+": () => setZoom(look.zoom * 1.5), "-": () => setZoom(look.zoom / 1.5), 0: () => setZoom(1),
    };  // prettier-ignore
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const place = h("p", { class: "time" }, " ");
  const zoomed = h("span", { class: "zoomed" }, "1.0×");
  const playing = button("Play", toggle, "main");
  for (const kind of ["play", "pause"]) film.addEventListener(kind, () => setText(playing, film.paused ? "Play" : "Pause"));
  const speed = h("select", { "aria-label": "Speed", onchange: () => (film.playbackRate = Number(speed.value)) },
    SPEEDS.map((rate) => h("option", { value: rate, selected: rate === 1 }, `${rate}×`)));  // prettier-ignore
  const sound = layout.sound && h("label", { class: "choice" }, h("input", { type: "checkbox", onchange: (event) => (film.muted = !event.target.checked) }), "Sound");
  const full = document.fullscreenEnabled ? button("Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen())) : null;
  const named = (words, name, work) => { const made = button(words, work, "square"); made.setAttribute("aria-label", name); return made; };  // prettier-ignore
  const controls = h(
    "div",
    { class: "controls", role: "group", "aria-label": "Playing" },
    h("div", { class: "row" }, named("‹", "One frame back", () => step(-1)), playing, named("›", "One frame on", () => step(1)), speed, sound),
    place,
    h("div", { class: "row" }, named("−", "Smaller", () => setZoom(look.zoom / 1.5)), zoomed, named("+", "Larger", () => setZoom(look.zoom * 1.5)), full),
  );
  setSplit(0.5);
  return {
    element: h("div", { class: "compare" }, box, controls),
    seek(number) { film.pause(); seek(number); },
    strength(value) { look.strength = value; draw(); },
    leave() { alive = false; watching.disconnect(); film.pause(); film.removeAttribute("src"); film.load(); },
  };  // prettier-ignore
}

function limited(value) {
  return Math.min(1, Math.max(0, value));
}

/** The number of the frame that is shown at a time. */
function frameAt(times, time) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 1e-3) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Drag moves the line, or the picture where it is enlarged; a tap plays; wheel and pinch enlarge. */
function gestures(box, canvas, look, { setSplit, setZoom, pan, toggle }) {
  const fingers = new Map();
  let moved = 0;
  let dragging = "";
  const at = (event) => {
    const rect = canvas.getBoundingClientRect();
    return { x: (event.clientX - rect.left) / rect.width, y: (event.clientY - rect.top) / rect.height, wide: rect.width, high: rect.height };
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const place = at(event);
    box.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place);
    moved = fingers.size > 1 ? 99 : 0;
    const near = Math.abs(place.x - look.split) * place.wide < NEAR;
    dragging = near || look.zoom <= 1 ? "split" : "picture";
  });
  box.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const place = at(event);
    moved += Math.hypot((place.x - before.x) * place.wide, (place.y - before.y) * place.high);
    if (fingers.size === 2) pinch(fingers, event.pointerId, before, place);
    else if (moved > 4 && dragging === "split") setSplit(place.x);
    else if (moved > 4) pan(place.x - before.x, place.y - before.y);
    fingers.set(event.pointerId, place);
  });
  const pinch = (all, id, before, place) => {
    const other = [...all].find(([key]) => key !== id)[1];
    const length = (a) => Math.hypot((a.x - other.x) * a.wide, (a.y - other.y) * a.high);
    setZoom((look.zoom * length(place)) / Math.max(length(before), 1), (place.x + other.x) / 2, (place.y + other.y) / 2);
    pan((place.x - before.x) / 2, (place.y - before.y) / 2);
  };
  const up = (event) => {
    const was = fingers.delete(event.pointerId);
    if (was && event.type === "pointerup" && moved <= 4) toggle();
  };
  box.addEventListener("pointerup", up);
  box.addEventListener("pointercancel", up);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const place = at(event);
    setZoom(look.zoom * Math.exp(-event.deltaY / 400), place.x, place.y);
  }, { passive: false });  // prettier-ignore
}
