// Before a run: what the clip is, how blurred it is, what of it is to be restored and how, what that takes.

import * as api from "./api.js";
import { curve } from "./curve.js";
import { button, h, once, setText } from "./dom.js";
import { poster, removal } from "./home.js";
import { bytes, clock, percent, rough } from "./words.js";

const PRESETS = { fast: "Fast", balanced: "Balanced", best: "Best" };
const SIDES = { fast: 3, balanced: 4, best: 6 };
const QUALITIES = [["", "As large as the clip, about"], ["90", "90: no loss to be seen"], ["75", "75: little loss"], ["50", "50: small file"]];  // prettier-ignore
const KEPT = "selfhvd.settings";

export function setupPanel(job, { refresh, home }) {
  const chosen = { ...job.settings, ...(isPlain(job.settings) ? remembered() : {}) };
  const picture = h("div", { class: "picture" }, poster(job));
  const blur = h("div", { class: "blur" }, h("p", { class: "hint" }, "How blurred each frame is, is being measured."));
  const estimate = h("p", { class: "estimate", role: "status" });
  const presets = presetChoice(chosen, () => update(latest));
  const go = button("Make it sharp", () => once(go, async () => {
    remember(chosen);
    await api.start(job.id, chosen);
    await refresh();
  }), "main large");  // prettier-ignore
  const element = h(
    "div",
    { class: "setup" },
    h("div", { class: "two" }, picture, h("section", { class: "card", "aria-label": "How blurred each frame is" }, blur)),
    h("section", { class: "card", "aria-label": "How it is restored" }, presets.element,
      h("div", { class: "fields" }, strengthChoice(chosen), qualityChoice(chosen)),
      h("div", { class: "go" }, go, estimate, removal(job, home))),
  );  // prettier-ignore
  let latest = job;
  let measured = false;
  let free = Infinity;
  const update = (now) => {
    latest = now;
    if (now.has_poster && picture.querySelector(".none")) picture.replaceChildren(poster(now));
    if (now.curve && !measured) {
      measured = true;
      blur.replaceChildren(partChoice(now, chosen, () => update(latest)));
    } else if (!measured && now.progress?.total) {
      setText(blur.firstChild, `How blurred each frame is, is being measured: ${now.progress.done} of ${now.progress.total}.`);
    }
    presets.update(now, shareOf(now, chosen));
    setText(estimate, inWords(now, chosen, free));
  };
  api.limits().then((limits) => { free = limits.free; update(latest); }, () => {});  // prettier-ignore
  return { element, update };
}

/** Whether nobody has chosen anything yet: not with the clip as it was sent, nor with the job that this one is again. */
function isPlain(settings) {
  const plain = { preset: "fast", strength: 1, codec: "auto", strip_location: false };
  return Object.entries(settings).every(([name, value]) => value === (plain[name] ?? null));
}

/** How much of the clip is restored. */
function shareOf(job, chosen) {
  if (!job.curve || (chosen.start === null && chosen.end === null)) return 1;
  const times = job.curve.times;
  return times.filter((time) => time >= (chosen.start ?? 0) && time < (chosen.end ?? Infinity)).length / times.length;
}

function inWords(job, chosen, free) {
  const found = job.forecasts?.[chosen.preset];
  if (!found) return "What it takes is being reckoned.";
  const share = shareOf(job, chosen);
  const time = `about ${rough(found.seconds * share)}`;
  const disk = found.disk * share;
  if (disk > free) return `The disk has too little room: about ${bytes(disk)} are needed, ${bytes(free)} are free.`;
  return `${time}; about ${bytes(disk)} of disk, kept until you free it, so that the strength can be changed later`;
}

function presetChoice(chosen, changed) {
  const times = {};
  const options = Object.entries(PRESETS).map(([name, words]) => {
    times[name] = h("span", { class: "hint" });
    const input = h("input", { type: "radio", name: "preset", value: name, checked: chosen.preset === name,
      onchange: () => { chosen.preset = name; changed(); } });  // prettier-ignore
    return h("label", { class: "option" }, input, h("b", {}, words), h("span", { class: "hint" }, `by ${2 * SIDES[name]} sharp frames around each`), times[name]);
  });
  const element = h("fieldset", { class: "options" }, h("legend", {}, "How thoroughly"), options);
  const update = (job, share) => {
    for (const [name, place] of Object.entries(times)) {
      const found = job.forecasts?.[name];
      setText(place, found ? `about ${rough(found.seconds * share)}` : " ");
    }
  };
  return { element, update };
}

function strengthChoice(chosen) {
  const said = h("output", { for: "strength" }, percent(chosen.strength));
  const input = h("input", { type: "range", id: "strength", min: 0, max: 1, step: 0.05, value: chosen.strength,
    "aria-valuetext": percent(chosen.strength),
    oninput: () => {
      chosen.strength = Number(input.value);
      setText(said, percent(chosen.strength));
      input.setAttribute("aria-valuetext", percent(chosen.strength));
    } });  // prettier-ignore
  return h("div", { class: "field" }, h("label", { for: "strength" }, "Strength"), said, input,
    h("p", { class: "hint" }, "How much of the restoration is blended in; it can be changed afterwards, too."));  // prettier-ignore
}

function qualityChoice(chosen) {
  const own = String(chosen.quality ?? "");
  const known = QUALITIES.some(([value]) => value === own) ? QUALITIES : [...QUALITIES, [own, own]];
  const options = known.map(([value, words]) => h("option", { value, selected: own === value }, words));
  const input = h("select", { id: "quality", onchange: () => (chosen.quality = input.value ? Number(input.value) : null) }, options);
  return h("div", { class: "field" }, h("label", { for: "quality" }, "Quality of the file"), input,
    h("p", { class: "hint" }, "Codec, colours, sound and times stay those of the clip."));  // prettier-ignore
}

/** The curve, and which part of it is restored. */
function partChoice(job, chosen, changed) {
  const { times, blur, blurred_above: above, hardest } = job.curve;
  const count = times.length;
  const ends = [...times.slice(1), times[count - 1] + (times[count - 1] - (times[count - 2] ?? 0) || 1)];
  const frameAt = (time) => { const found = times.findIndex((other) => other >= time - 1e-4); return found < 0 ? count : found; };  // prettier-ignore
  const first = slider("First frame of the part", 0, count);
  const last = slider("End of the part", count, count);
  const said = h("p", { class: "part-said" });
  const whole = radio("The whole clip", true, () => choose(0, count, "whole"));
  const hard = radio("The hardest 5 seconds", false, () => choose(frameAt(hardest[0]), frameAt(hardest[1]), "hard"));
  const own = radio("A part, drawn on the curve", false, () => choose(Number(first.value), Number(last.value), "own"));
  const drawn = curve({
    times, unit: "pixels of blur", said: inShort(job), mark: { value: above, words: `sharp below ${above}` },
    lines: [{ values: blur, kind: "before", words: "blur of each frame" }],
    over: [first, last], ondrag: (from, to) => choose(from, to, "own"),
  });  // prettier-ignore
  const choose = (from, to, how) => {
    [first.value, last.value] = [from, to];
    ({ whole, hard, own })[how].input.checked = true;
    const all = from === 0 && to === count;
    chosen.start = how === "whole" || from === 0 ? null : times[from];
    chosen.end = how === "whole" || to >= count ? null : times[to];
    drawn.part(all ? null : from, to);
    const words = all ? `all ${count} frames` : `${clock(times[from])} to ${clock(ends[to - 1])}, ${to - from} frames`;
    setText(said, words);
    first.setAttribute("aria-valuetext", `${clock(times[from])}, frame ${from}`);
    last.setAttribute("aria-valuetext", `${clock(ends[to - 1])}, frame ${to}`);
    changed();
  };
  first.addEventListener("input", () => choose(Math.min(Number(first.value), Number(last.value) - 1), Number(last.value), "own"));
  last.addEventListener("input", () => choose(Number(first.value), Math.max(Number(last.value), Number(first.value) + 1), "own"));
  hard.element.hidden = times[count - 1] < 6;
  if (chosen.start === null && chosen.end === null) setText(said, `all ${count} frames`);
  else {
    const from = Math.min(frameAt(chosen.start ?? 0), count - 1);
    choose(from, Math.max(frameAt(chosen.end ?? Infinity), from + 1), "own");
  }
  return h("div", {}, h("p", { class: "verdict" }, inShort(job)), drawn.element,
    h("fieldset", { class: "parts" }, h("legend", {}, "Which part"), whole.element, hard.element, own.element, said));  // prettier-ignore
}

function slider(words, value, count) {
  return h("input", { type: "range", class: "over", min: 0, max: count, step: 1, value, "aria-label": words });
}

function radio(words, checked, onchange) {
  const input = h("input", { type: "radio", name: "part", checked, onchange });
  return { input, element: h("label", { class: "choice" }, input, words) };
}

/** The curve in a sentence. */
function inShort(job) {
  const known = job.curve.blur.filter((value) => value !== null);
  if (!known.length) return "How blurred the frames are cannot be told.";
  const above = job.curve.blurred_above;
  const sharp = known.filter((value) => value <= above).length;
  const most = known.reduce((a, b) => Math.max(a, b));
  if (most <= above) return "No frame is blurred by more than about a pixel; there is little to gain.";
  const share = sharp ? `${percent(sharp / known.length)} of the frames are sharp` : "No frame is sharp; detail comes from the general model";
  return `${share}; the most blurred one is smeared by ${most.toFixed(0)} pixels.`;
}

/** What was chosen last time. */
function remembered() {
  try {
    const { preset, strength, quality } = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return { ...(preset in PRESETS && { preset }), ...(strength >= 0 && strength <= 1 && { strength }), ...(quality >= 0 && quality <= 100 && { quality }) };
  } catch {
    return {};
  }
}

function remember({ preset, strength, quality }) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ preset, strength, quality }));
  } catch {
    // a browser that keeps nothing is fine, too
  }
}
