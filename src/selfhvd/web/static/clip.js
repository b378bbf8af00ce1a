// One clip by itself: what it is at decides what is shown.

import * as api from "./api.js";
import { button, h, once, setText } from "./dom.js";
import { removal } from "./home.js";
import { resultPanel } from "./result.js";
import { setupPanel } from "./setup.js";
import { wayPanel } from "./way.js";
import { facts } from "./words.js";

const WAY = ["queued", "running", "pausing", "paused", "cancelling"];

export function clipView(id, { go, refresh }) {
  const name = h("bdi", {}, " ");
  const about = h("p", { class: "facts" });
  const place = h("div");
  const element = h(
    "article",
    {},
    h("p", { class: "back" }, h("a", { href: "/", "data-link": true }, "All clips")),
    h("h1", { class: "clip-name" }, name),
    about,
    place,
  );
  const tools = { go, refresh, home: () => go("/") };
  let shown = null;
  let panel = null;
  let job = null;
  const update = async (jobs) => {
    const found = jobs.find((other) => other.id === id);
    if (!found) return gone(place, about);
    const kind = kindOf(found);
    const stale = !job || kind !== shown || found.state === "looking" || (found.state !== job.state) || !job.facts || !job.forecasts;
    job = stale ? await api.job(id) : { ...job, ...found };
    view.title = job.name;
    setText(name, job.name);
    setText(about, job.facts || job.state === "looking" ? facts(job.facts) : "");
    if (kindOf(job) !== shown) {
      panel?.leave?.();
      shown = kindOf(job);
      panel = PANELS[shown](job, tools);
      place.replaceChildren(panel.element);
    }
    panel.update?.(job);
  };
  const view = { element, title: "Clip", update, leave: () => panel?.leave?.() };
  return view;
}

function kindOf(job) {
  if (WAY.includes(job.state)) return "way";
  return job.state === "looking" ? "ready" : job.state;
}

const PANELS = { way: wayPanel, ready: setupPanel, done: resultPanel, failed: endPanel, cancelled: endPanel };

/** A clip that failed or was cancelled. */
function endPanel(job, { refresh, home, go }) {
  const again = button("Start again", () => once(again, async () => { await api.start(job.id); await refresh(); }), "main");  // prettier-ignore
  const other = button("Start with other settings", () => once(other, async () => { go(`/jobs/${(await api.wish(job.id, "again")).id}`); }));  // prettier-ignore
  const failed = job.state === "failed";
  const isClip = job.exit_code !== 3;
  const element = h(
    "section",
    { class: "card" },
    h("p", { class: failed ? "alert" : "" }, failed ? job.sentence : "It was cancelled; what had been done is cleared away. The clip is still here."),
    failed ? h("p", { class: "hint" }, `Exit code ${job.exit_code}, as of the command.`) : null,
    h("div", { class: "acts" }, isClip ? [again, other] : null, removal(job, home)),
  );
  return { element };
}

function gone(place, about) {
  setText(about, "");
  if (place.dataset.gone) return;
  place.dataset.gone = "yes";
  place.replaceChildren(h("p", { class: "card" }, "There is no such clip; it may have been removed."));
}
