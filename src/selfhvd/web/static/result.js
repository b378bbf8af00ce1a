// A clip that is done: before and after, sharpness, strength, and the file.

import * as api from "./api.js";
import { curve } from "./curve.js";
import { button, h, once, setText } from "./dom.js";
import { removal } from "./home.js";
import { stage } from "./stage.js";
import { bytes, clock, percent } from "./words.js";

export function resultPanel(job, { refresh, home, go }) {
  const result = job.result;
  const copy = result.copy;
  const seeking = copy ? h("input", { type: "range", class: "over seek", min: 0, max: copy.times.length - 1, step: 1, value: 0, "aria-label": "Place in the clip" }) : null;
  const drawn = copy && result.sharpness_after.length === copy.times.length ? sharpness(result, copy, seeking) : null;
  const shown = copy && stage(`/api/jobs/${job.id}/play.mp4`, copy, (frame) => {
    drawn?.place(frame);
    if (seeking && document.activeElement !== seeking) seeking.value = frame;
    seeking?.setAttribute("aria-valuetext", `${clock(copy.times[frame], 2)}, frame ${frame + 1}`);
  });  // prettier-ignore
  seeking?.addEventListener("input", () => shown.seek(Number(seeking.value)));
  shown?.seek(hardest(result));
  const element = h(
    "div",
    { class: "result" },
    h("p", { class: "verdict" }, verdict(job)),
    shown ? shown.element : h("p", { class: "card" }, "No copy for this page could be made; the file itself is there to be kept."),
    drawn ? h("section", { class: "card", "aria-label": "Sharpness of each frame" }, h("h2", {}, "Sharpness of each frame"), drawn.element) : null,
    h("section", { class: "card keep", "aria-label": "The file" },
      keep(job), strength(job, shown, refresh), warnings(job),
      h("div", { class: "acts" }, others(job, { refresh, go }), removal(job, home))),
  );  // prettier-ignore
  return { element, leave: () => shown?.leave() };
}

/** The most blurred frame: there it shows at once what was gained. */
function hardest({ blur }) {
  return Math.max(0, blur.reduce((best, value, frame) => ((value ?? 0) > (blur[best] ?? 0) ? frame : best), 0));
}

function verdict(job) {
  const { frames, left } = job.result;
  if (left === frames) return "No frame is blurred by more than about a pixel; the clip stays as it is.";
  const restored = frames - left;
  return `${restored} of ${frames} frames restored` + (job.result.strength < 1 ? `, at strength ${percent(job.result.strength)}.` : ".");
}

function keep(job) {
  const { file, bytes: size, report } = job.result;
  return h("div", { class: "row wide" },
    h("a", { class: "button main large", href: `/api/jobs/${job.id}/result`, download: file }, `Download (${bytes(size)})`),
    h("p", { class: "hint file" }, h("bdi", {}, file), ", as it was written; this page shows a copy in H.264"),
    report ? h("a", { href: `/api/jobs/${job.id}/report`, target: "_blank", rel: "noopener" }, "Report") : null);  // prettier-ignore
}

/** The slider blends what is shown at once; the file only when it is written again. */
function strength(job, shown, refresh) {
  const written = job.result.strength;
  const kept = job.result.kept > 0 && job.result.left < job.result.frames;
  const said = h("output", { for: "blend" }, percent(written));
  const write = button("Write the file with this strength", () => once(write, async () => {
    await api.start(job.id, { ...job.settings, strength: Number(input.value) });
    await refresh();
  }));  // prettier-ignore
  write.hidden = true;
  const input = h("input", { type: "range", id: "blend", min: 0, max: 1, step: 0.05, value: written, "aria-valuetext": percent(written), oninput: () => {
    const value = Number(input.value);
    setText(said, percent(value));
    input.setAttribute("aria-valuetext", percent(value));
    shown?.strength(value);
    write.hidden = !kept || Math.abs(value - written) < 0.01;
  } });  // prettier-ignore
  shown?.strength(written);
  if (job.result.left === job.result.frames) return null;
  const hint = kept ? "Try it above; the file stays as it is until you write it again, which is quick." : "The frames were freed, so the file stays at this strength; you can still try others above.";
  return h("div", { class: "field" }, h("label", { for: "blend" }, "Strength"), said, input, h("p", { class: "hint" }, hint), write);
}

function warnings(job) {
  if (!job.warnings.length) return null;
  return h("ul", { class: "warnings", "aria-label": "Warnings" }, job.warnings.map((text) => h("li", {}, text)));
}

function others(job, { refresh, go }) {
  const again = button("Other settings", () => once(again, async () => go(`/jobs/${(await api.wish(job.id, "again")).id}`)));
  const tidy = button(`Free ${bytes(job.result.kept)}`, () => once(tidy, async () => {
    await api.wish(job.id, "tidy");
    go(`/jobs/${job.id}`, { replace: true });
    await refresh();
  }));  // prettier-ignore
  tidy.title = "Removes the frames that are kept for another strength; the result stays";
  tidy.hidden = job.result.kept < 1;
  return [again, tidy];
}

function sharpness(result, copy, seeking) {
  const [before, after] = [result.sharpness_before, result.sharpness_after];
  const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const said = `Sharpness of each frame; in the middle ${middle(before).toPrecision(3)} before, ${middle(after).toPrecision(3)} after.`;
  return curve({
    times: copy.times, log: true, unit: "variance of the Laplacian", said, over: seeking ? [seeking] : [],
    lines: [{ values: before, kind: "before", words: "before" }, { values: after, kind: "after", words: "after" }],
  });  // prettier-ignore
}
