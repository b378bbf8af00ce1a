// The first view: where a clip is dropped, and the clips that are there.

import * as api from "./api.js";
import { announce, button, complain, h, once, setText, svg } from "./dom.js";
import { uploads } from "./uploads.js";
import { bytes, facts, left, percent, stage, state } from "./words.js";

export function homeView({ go, refresh }) {
  const limits = { upload: Infinity };
  const note = h("p", { class: "hint" }, "Any video of a phone or a camera, motion photos, too");
  const take = async (files) => {
    if (!files.length) return;
    complain("");
    announce(files.length === 1 ? `${files[0].name} is being sent` : `${files.length} clips are being sent`);
    const sent = uploads.add(files, limits.upload);
    refresh();
    if (sent.length === 1 && location.pathname === "/") {
      const job = await sent[0];
      if (location.pathname === "/") go(`/jobs/${job.id}`);
    }
  };
  const own = h("div", { hidden: true });
  const list = h("ul", { class: "clips" });
  const empty = h(
    "ol",
    { class: "how" },
    h("li", {}, h("b", {}, "Give a clip."), " A shaky one mostly holds some sharp frames; you see where they are."),
    h("li", {}, h("b", {}, "Wait, or do not."), " It goes on when this page is closed."),
    h("li", {}, h("b", {}, "Compare and keep."), " Before and after, frame by frame; then download the file."),
  );
  const heading = h("h2", { id: "yours" }, "Your clips");
  const element = h(
    "div",
    { class: "home" },
    h("h1", {}, "Give a blurry clip back sharp"),
    dropPlace(take, note),
    own,
    h("section", { "aria-labelledby": "yours" }, heading, empty, list),
  );
  api.limits().then((found) => {
    Object.assign(limits, found);
    setText(note, `Any video of a phone or a camera, motion photos, too; up to ${bytes(found.upload)}`);
    if (found.paths) pathPlace(own, go);
  }, () => {});
  const rows = new Map();
  const update = (jobs) => {
    const items = [...uploads.pending.map(pendingRow), ...[...jobs].reverse().map(jobRow)];
    empty.hidden = items.length > 0;
    setText(heading, items.length ? "Your clips" : "How it goes");
    arrange(list, rows, items, { refresh });
  };
  return { element, title: "Clips", update };
}

/** Where files are dropped, or chosen; the whole window takes them, too. */
function dropPlace(take, note) {
  const input = h("input", {
    type: "file", multiple: true, id: "files", class: "unseen", tabindex: "-1", "aria-label": "Clips to send",
    accept: "video/*,image/gif,image/webp,image/apng,image/avif,image/heic,image/jpeg,.lrv,.insv,.mts,.m2ts,.mkv",
    onchange: () => { take([...input.files]); input.value = ""; },
  });  // prettier-ignore
  const place = h(
    "section",
    { class: "drop", "aria-label": "Give a clip" },
    arrow(),
    h("p", { class: "big" }, "Drop a clip here"),
    button("Choose clips", () => input.click(), "main"),
    input,
    note,
  );
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    place.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take([...event.dataTransfer.files]);
  };
  for (const kind of ["dragover", "dragleave", "drop"]) place.addEventListener(kind, over);
  return place;
}

function arrow() {
  const drawn = { viewBox: "0 0 48 48", class: "arrow", "aria-hidden": "true" };
  return svg("svg", drawn, svg("path", { d: "M24 6v24m-9-9 9 9 9-9" }), svg("path", { d: "M8 32v8h32v-8" }));
}

/** Where a clip of this machine is named. */
async function pathPlace(own, go) {
  const known = h("datalist", { id: "known" });
  const path = h("input", { type: "text", id: "path", list: "known", autocomplete: "off", spellcheck: "false", required: true });
  const use = async (event) => {
    event.preventDefault();
    try {
      go(`/jobs/${(await api.usePath(path.value.trim())).id}`);
    } catch (error) {
      complain(error.message);
    }
  };
  own.replaceChildren(
    h("form", { class: "path", onsubmit: use },
      h("label", { for: "path" }, "Or a clip that is on this machine"),
      h("div", { class: "row" }, path, h("button", {}, "Use it")),
      known),
  );  // prettier-ignore
  own.hidden = false;
  known.append(...(await api.paths()).map((found) => h("option", { value: found })));
}

/** Rows by key: one is only made anew when what it is has changed, so that focus stays where it is. */
function arrange(list, rows, items, tools) {
  for (const [key, row] of rows) {
    if (!items.some((item) => item.key === key && item.kind === row.kind)) {
      row.element.remove();
      rows.delete(key);
    }
  }
  items.forEach((item, index) => {
    if (!rows.has(item.key)) rows.set(item.key, { kind: item.kind, ...item.make(tools) });
    const row = rows.get(item.key);
    row.update(item);
    if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
  });
}

function pendingRow(item) {
  return { key: item.key, kind: item.failed ? "refused" : "sending", item, make: () => makePending(item) };
}

function makePending(item) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": `Sending ${item.name}` });
  const said = h("p", { class: "said" });
  const drop = button(item.failed ? "Dismiss" : "Stop", () => uploads.drop(item));
  const element = h(
    "li",
    { class: item.failed ? "clip bad" : "clip" },
    h("div", { class: "poster none" }),
    h("div", { class: "about" }, h("p", { class: "name" }, h("bdi", {}, item.name)), said, item.failed ? null : bar),
    h("div", { class: "acts" }, drop),
  );
  const update = () => {
    bar.value = item.share;
    setText(said, item.failed || (item.going ? `sent: ${percent(item.share)}` : "waits to be sent"));
  };
  return { element, update };
}

function jobRow(job) {
  return { key: job.id, kind: `${job.state} ${job.has_poster}`, job, make: (tools) => makeJob(job, tools) };
}

function makeJob(job, { refresh }) {
  const said = h("p", { class: "said" });
  const about = h("p", { class: "facts" });
  const bar = h("progress", { max: 1, "aria-label": `How far ${job.name} is` });
  const element = h(
    "li",
    { class: `clip ${job.state === "failed" ? "bad" : ""}`, "data-state": job.state },
    poster(job),
    h("div", { class: "about" },
      h("a", { class: "name", href: `/jobs/${job.id}`, "data-link": true }, h("bdi", {}, job.name)),
      about, said, job.state === "running" ? bar : null),
    h("div", { class: "acts" }, acts(job, refresh)),
  );  // prettier-ignore
  const update = ({ job: now }) => {
    setText(about, now.facts || now.state !== "failed" ? facts(now.facts) : "");
    setText(said, line(now));
    if (now.progress) bar.value = now.progress.share;
  };
  return { element, update };
}

export function poster(job) {
  if (!job.has_poster) return h("div", { class: "poster none" });
  return h("img", { class: "poster", src: `/api/jobs/${job.id}/poster.jpg`, alt: "", loading: "lazy" });
}

function line(job) {
  if (job.state === "failed") return job.sentence;
  if (job.state === "running") return [stage(job.progress), left(job)].filter(Boolean).join(", ");
  if (job.state === "queued" && job.before) return `waiting; ${job.before} before it`;
  return state(job.state);
}

/** What can be done with a clip from the list. */
function acts(job, refresh) {
  const act = (words, work, kind = "") => {
    const made = button(words, () => once(made, async () => { await work(); await refresh(); }), kind);
    made.setAttribute("aria-label", `${words}: ${job.name}`);
    return made;
  };  // prettier-ignore
  if (job.state === "ready" || job.state === "looking") return [act("Make it sharp", () => api.start(job.id), "main"), removal(job, refresh)];
  if (job.state === "running" || job.state === "queued") return [act("Pause", () => api.wish(job.id, "pause")), act("Cancel", () => api.wish(job.id, "cancel"))];
  if (job.state === "paused") return [act("Go on", () => api.start(job.id), "main"), act("Cancel", () => api.wish(job.id, "cancel"))];
  if (job.state === "done") return [h("a", { class: "button", href: `/jobs/${job.id}`, "data-link": true, "aria-label": `Compare: ${job.name}` }, "Compare"), removal(job, refresh)];
  if (job.state === "failed" && job.exit_code === 3) return [removal(job, refresh)];
  if (job.state === "failed" || job.state === "cancelled") return [act("Start again", () => api.start(job.id)), removal(job, refresh)];
  return [];
}

/** Removing asks once more, in the same place: what is removed is gone. */
export function removal(job, done) {
  let sure = false;
  const made = button("Remove", () => {
    if (!sure) {
      sure = true;
      made.textContent = "Remove for good?";
      setTimeout(() => { sure = false; made.textContent = "Remove"; }, 4000);
      return;
    }
    once(made, async () => { await api.remove(job.id); await done(); });
  }, "quiet");  // prettier-ignore
  made.title = `Remove ${job.name} and its result`;
  return made;
}
