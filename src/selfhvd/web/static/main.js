// The page: one of its views by the address, kept up to date by asking the server.

import * as api from "./api.js";
import { clipView } from "./clip.js";
import { announce, complain } from "./dom.js";
import { homeView } from "./home.js";
import { signInView } from "./signin.js";
import { uploads } from "./uploads.js";
import { BUSY, state } from "./words.js";

const OFTEN = 700;
const SELDOM = 4000;

const main = document.getElementById("main");
let view = null;
let timer = 0;
let known = new Map();

/** Go to an address of this page. */
export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  show();
}

function show() {
  complain("");
  view?.leave?.();
  const found = location.pathname.match(/^\/jobs\/([0-9a-f]{32})$/);
  view = found ? clipView(found[1], { go, refresh }) : homeView({ go, refresh });
  main.replaceChildren(view.element);
  document.title = `${view.title} · selfhvd`;
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
  refresh();
}

/** Ask the server now, and again after a while. */
export async function refresh() {
  clearTimeout(timer);
  let wait = SELDOM;
  try {
    const list = await api.jobs();
    if (document.getElementById("banner").dataset.lost) {
      delete document.getElementById("banner").dataset.lost;
      complain("");
    }
    tell(list);
    await view.update(list);
    document.title = `${view.title} · selfhvd`;
    if (list.some((job) => BUSY.includes(job.state)) || uploads.pending.length) wait = OFTEN;
  } catch (error) {
    if (error.status === 401) return ask();
    complain(error.message);
    if (error.status === 0) document.getElementById("banner").dataset.lost = "yes";
    else if (error.status === undefined) console.error(error);
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? 3 * SELDOM : wait);
}

/** Have it said when a clip has come to its end, whatever is looked at. */
function tell(list) {
  for (const job of list) {
    const before = known.get(job.id);
    if (before && before !== job.state && ["done", "failed", "paused", "cancelled", "ready"].includes(job.state)) {
      announce(`${job.name}: ${state(job.state)}. ${job.sentence}`);
    }
  }
  known = new Map(list.map((job) => [job.id, job.state]));
}

function ask() {
  view?.leave?.();
  view = signInView(() => begin());
  main.replaceChildren(view.element);
  document.title = `${view.title} · selfhvd`;
}

/** The view is there at once; who is signed in is asked beside it. */
async function begin() {
  show();
  const session = await api.session();
  const promise = document.getElementById("promise");
  promise.textContent = session.local ? "Nothing leaves this machine" : `Clips go to ${location.hostname}, and nowhere else`;
  document.getElementById("leave").hidden = !session.asks || !session.owner;
  if (!session.owner) ask();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-link]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
document.getElementById("leave").addEventListener("click", async () => {
  await api.signOut();
  await begin();
});
addEventListener("popstate", show);
addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("beforeunload", (event) => uploads.pending.some((item) => !item.failed) && event.preventDefault());
uploads.changed = refresh;
begin().catch((error) => complain(error.message));
