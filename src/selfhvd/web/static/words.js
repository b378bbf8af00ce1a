// Numbers and states in words.

/** 2.4 MB; units of 1000, as the command says them. */
export function bytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} kB`;
  if (count < 1e7) return `${(count / 1e6).toFixed(1)} MB`;
  return count < 1e9 ? `${Math.round(count / 1e6)} MB` : `${(count / 1e9).toFixed(count < 1e10 ? 1 : 0)} GB`;
}

/** A time no finer than it is known: 5 s, 40 s, 3 min, 2.5 h. */
export function rough(seconds) {
  if (seconds < 90) return `${Math.max(5, 5 * Math.round(seconds / 5))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** 0:02.4; a place in a clip. */
export function clock(seconds, digits = 1) {
  const tens = 10 ** digits;
  const all = Math.round(seconds * tens) / tens;
  const minutes = Math.floor(all / 60);
  return `${minutes}:${(all - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
}

export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/** 1440 × 1080, 62 frames, 2.1 s, h264, 2.2 MB */
export function facts(found) {
  if (!found) return "being looked at";
  const words = [`${found.width} × ${found.height}`];
  if (found.frames) words.push(`${found.stated ? "" : "about "}${found.frames} ${found.frames === 1 ? "frame" : "frames"}`);
  if (found.seconds) words.push(`${found.seconds < 60 ? `${found.seconds.toFixed(1)} s` : clock(found.seconds, 0)}`);
  words.push(found.codec + (found.depth > 8 ? `, ${found.depth} bits` : ""));
  if (found.bytes) words.push(bytes(found.bytes));
  return words.join(" · ");
}

const STAGES = {
  read: "Reading the clip",
  scenes: "Looking for cuts",
  select: "Finding the sharp frames",
  align: "Aligning frames",
  "stage 1": "Learning, first stage",
  "stage 2": "Learning, second stage",
  restore: "Restoring",
  verify: "Writing and checking the file",
  copy: "Making a copy for this page",
};

/** What a run is at. */
export function stage(progress) {
  if (!progress) return "Starting";
  const name = STAGES[progress.stage] || progress.stage;
  return progress.stage === "restore" && progress.total ? `Restoring frame ${progress.done} of ${progress.total}` : name;
}

const STATES = {
  looking: "being looked at",
  ready: "ready to start",
  queued: "waiting for its turn",
  running: "being restored",
  pausing: "pausing",
  paused: "paused",
  cancelling: "being cancelled",
  cancelled: "cancelled",
  failed: "failed",
  done: "done",
};

export function state(name) {
  return STATES[name] || name;
}

/** States in which something happens without anybody doing anything. */
export const BUSY = ["looking", "queued", "running", "pausing", "cancelling"];

/** "about 3 min left"; "" where nobody knows. */
export function left(job) {
  const progress = job.progress;
  if (!progress) return "";
  if (progress.stage === "restore" && progress.eta_s !== null) return `about ${rough(1.1 * progress.eta_s)} left`;
  return "";
}
