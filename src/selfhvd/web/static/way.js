// A clip under way: how far it is, the frame that is being restored, and what can be done about it.

import * as api from "./api.js";
import { button, h, once, setText } from "./dom.js";
import { rough, stage, state } from "./words.js";

export function wayPanel(job, { refresh }) {
  const act = (words, what, kind = "") => {
    const made = button(words, () => once(made, async () => { await (what === "start" ? api.start(job.id) : api.wish(job.id, what)); await refresh(); }), kind);  // prettier-ignore
    return made;
  };
  const said = h("p", { class: "stage-said" });
  const rest = h("p", { class: "hint rest" });
  const bar = h("progress", { max: 1, "aria-label": "How far it is" });
  const goOn = act("Go on", "start", "main");
  const pause = act("Pause", "pause");
  const cancel = act("Cancel", "cancel");
  const frames = framePair(job);
  const element = h(
    "section",
    { class: "card way" },
    said, bar, rest, frames.element,
    h("div", { class: "acts" }, goOn, pause, cancel),
    h("p", { class: "hint" }, "You can close this page, the browser, and the server: it goes on, and this address shows it again."),
  );  // prettier-ignore
  const update = (now) => {
    const running = now.state === "running";
    setText(said, running ? stage(now.progress) : words(now.state, now.before));
    setText(rest, running ? timeLeft(now) : "");
    if (now.progress) bar.value = now.progress.share;
    else if (running) bar.removeAttribute("value");
    else bar.value = 0;
    goOn.hidden = now.state !== "paused";
    pause.hidden = !["running", "queued"].includes(now.state);
    cancel.hidden = !["running", "queued", "paused"].includes(now.state);
    frames.update(now);
  };
  return { element, update };
}

function words(name, before) {
  if (name === "queued") return before ? `Waiting for its turn; ${before} before it` : "Starting";
  if (name === "pausing") return "Pausing; the frame under way is saved first";
  if (name === "cancelling") return "Being cancelled";
  return `It is ${state(name)}.`;
}

function timeLeft(job) {
  const { progress, forecasts, settings } = job;
  if (!progress) return "";
  if (progress.stage === "restore" && progress.eta_s !== null) return `about ${rough(1.1 * progress.eta_s)} left`;
  const known = forecasts?.[settings.preset]?.seconds;
  return known && settings.start === null && settings.end === null ? `about ${rough(known * (1 - progress.share))} left` : "";
}

/** The newest frame, as it came and as it is restored; one picture takes the other's place only when it is there. */
function framePair(job) {
  const pictures = ["before", "after"].map((which) => {
    const image = h("img", { alt: which === "before" ? "The frame as it came" : "The same frame, restored" });
    return { which, image, figure: h("figure", {}, image, h("figcaption", {}, which === "before" ? "as it came" : "restored")) };
  });
  const element = h("div", { class: "frames", hidden: true }, pictures.map((picture) => picture.figure));
  let index = -1;
  const update = (now) => {
    const progress = now.progress;
    if (progress?.stage !== "restore" || progress.done < 1 || progress.done - 1 === index) return;
    index = progress.done - 1;
    for (const { which, image } of pictures) {
      const next = new Image();
      next.onload = () => { image.src = next.src; element.hidden = false; };  // prettier-ignore
      next.src = `/api/jobs/${job.id}/frame.jpg?index=${index}&which=${which}`;
    }
  };
  return { element, update };
}
