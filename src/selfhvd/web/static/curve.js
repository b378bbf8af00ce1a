// A curve over a clip: one or two lines over time, with a place or a part of it that can be moved.

import { h, svg } from "./dom.js";
import { clock } from "./words.js";

const LEFT = 44;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 34;
const HIGH = 210;
// by twos: of a long clip there are more values than a call takes
const larger = (a, b) => Math.max(a, b);
const smaller = (a, b) => Math.min(a, b);

/**
 * Draws lines over the frames of a clip.
 *
 * times: seconds of each frame. lines: [{ values, kind, words }], a value may be null. log: a logarithmic scale.
 * unit: of the values, in words. mark: { value, words }, a level that means something. said: the drawing in words.
 * The element has `place(frame)`, `part(first, end)`; over it lie the inputs that `over` holds.
 */
export function curve({ times, lines, log = false, unit, mark = null, said, over = [], ondrag = null }) {
  const drawing = svg("svg", { role: "img", "aria-label": said, height: HIGH });
  const box = h("div", { class: "plot" }, drawing, ...over);
  const legend = h("p", { class: "legend", "aria-hidden": "true" },
    lines.map((line) => h("span", { class: line.kind }, line.words)), mark ? h("span", { class: "mark" }, mark.words) : null);  // prettier-ignore
  const element = h("figure", { class: "curve" }, box, legend);
  const scale = scaleOf(lines, log, mark);
  const at = { frame: null, part: null, wide: 600 };
  const x = (frame) => LEFT + ((frame + 0.5) / times.length) * (at.wide - LEFT - RIGHT);
  const y = (value) => TOP + (1 - scale.share(value)) * (HIGH - TOP - BOTTOM);
  const draw = () => {
    at.wide = Math.max(240, box.clientWidth);
    drawing.setAttribute("viewBox", `0 0 ${at.wide} ${HIGH}`);
    drawing.setAttribute("width", at.wide);
    drawing.replaceChildren(...grid(scale, y, at.wide, unit), ...ticks(times, x, at.wide), ...level(mark, y, at.wide),
      ...lines.map((line) => path(line, x, y)), ...shade(at.part, x, at.wide), ...needle(at.frame, x));  // prettier-ignore
  };
  new ResizeObserver(draw).observe(box);
  if (ondrag) dragging(drawing, (place) => Math.round(((place - LEFT) / (at.wide - LEFT - RIGHT)) * times.length), times.length, ondrag);
  return {
    element,
    place(frame) { at.frame = frame; draw(); },
    part(first, end) { at.part = first === null ? null : [first, end]; draw(); },
  };  // prettier-ignore
}

function scaleOf(lines, log, mark) {
  const values = lines.flatMap((line) => line.values).filter((value) => value !== null && (!log || value > 0));
  const most = values.reduce(larger, Math.max(mark ? 1.6 * mark.value : 0, 1e-3));
  if (!log) return { most, steps: roundSteps(most), share: (value) => Math.min(1, value / most) };
  const low = Math.log10(Math.max(values.reduce(smaller, Infinity), 1e-2)) - 0.05;
  const high = Math.log10(most) + 0.05;
  const decades = [];
  for (let n = Math.ceil(low); n <= high; n += 1) decades.push(10 ** n);
  const steps = decades.length > 1 ? decades : [...values].sort((a, b) => a - b).filter((_, n, all) => [0, all.length - 1].includes(n)).map((v) => Number(v.toPrecision(2)));
  return { most, steps, share: (value) => Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1e-2)) - low) / Math.max(high - low, 1e-6))) };
}

function roundSteps(most) {
  const raw = most / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, n) => n * step);
}

function grid(scale, y, wide, unit) {
  const lines = scale.steps.flatMap((step) => [
    svg("path", { class: "grid", d: `M${LEFT} ${y(step)}H${wide - RIGHT}` }),
    svg("text", { x: LEFT - 6, y: y(step) + 4, class: "tick end" }, String(Number(step.toPrecision(2)))),
  ]);
  return [...lines, svg("text", { x: 0, y: 12, class: "tick" }, unit)];
}

function ticks(times, x, wide) {
  const last = times[times.length - 1];
  const places = wide < 480 ? [1] : [0.5, 1];
  return places.map((share) => {
    const frame = Math.round(share * (times.length - 1));
    const end = share === 1;
    return svg("text", { x: end ? wide - RIGHT : x(frame), y: HIGH - 6, class: end ? "tick end" : "tick middle" }, clock(end ? last : times[frame]));
  });
}

function level(mark, y, wide) {
  return mark ? [svg("path", { class: "level", d: `M${LEFT} ${y(mark.value)}H${wide - RIGHT}` })] : [];
}

function path(line, x, y) {
  let pen = "M";
  let drawn = "";
  line.values.forEach((value, frame) => {
    if (value === null) {
      pen = "M";
      return;
    }
    drawn += `${pen}${x(frame).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  });
  return svg("path", { class: `line ${line.kind}`, d: drawn });
}

function shade(part, x, wide) {
  if (!part) return [];
  const [first, end] = [x(part[0] - 0.5), x(part[1] - 0.5)];
  const high = HIGH - TOP - BOTTOM;
  return [
    svg("rect", { class: "outside", x: LEFT, y: TOP, width: Math.max(0, first - LEFT), height: high }),
    svg("rect", { class: "outside", x: end, y: TOP, width: Math.max(0, wide - RIGHT - end), height: high }),
    svg("path", { class: "edge", d: `M${first} ${TOP}v${high}M${end} ${TOP}v${high}` }),
  ];
}

function needle(frame, x) {
  return frame === null ? [] : [svg("path", { class: "needle", d: `M${x(frame)} ${TOP}V${HIGH - BOTTOM}` })];
}

/** A part is drawn with the finger; a tap changes nothing. */
function dragging(drawing, frameAt, count, ondrag) {
  let from = null;
  const place = (event) => Math.min(count, Math.max(0, frameAt(event.clientX - drawing.getBoundingClientRect().left)));
  drawing.classList.add("draggable");
  drawing.addEventListener("pointerdown", (event) => { from = place(event); drawing.setPointerCapture(event.pointerId); });
  drawing.addEventListener("pointerup", () => (from = null));
  drawing.addEventListener("pointercancel", () => (from = null));
  drawing.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const [first, end] = [from, place(event)].sort((a, b) => a - b);
    if (end > first) ondrag(first, end);
  });  // prettier-ignore
}
