// Elements: made of text and nodes only. No text ever becomes markup, so a file's name can be anything.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Functions become listeners, `true` a bare attribute; null, undefined and false are left out. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for a drawing. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button with words. */
export function button(words, onclick, kind = "") {
  return h("button", { type: "button", class: kind, onclick }, words);
}

/** Have a screen reader say something when it has time. */
export function announce(words) {
  document.getElementById("said").textContent = words;
}

/** Set text only where it differs: what is selected stays selected, what was said is not said again. */
export function setText(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** While something is asked of the server its button cannot be pressed again. */
export async function once(element, work) {
  if (element.getAttribute("aria-disabled") === "true") return;
  element.setAttribute("aria-disabled", "true");
  try {
    await work();
  } catch (error) {
    complain(error.message);
  } finally {
    element.removeAttribute("aria-disabled");
  }
}

/** Something went wrong; said at the top until something else is done. */
export function complain(words) {
  const banner = document.getElementById("banner");
  banner.textContent = words;
  banner.hidden = !words;
}
