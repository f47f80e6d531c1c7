// What all pages share: elements, symbols of places, marks of quality.
/** @import {Catalog, Place} from "./types.d.ts" */

/** Colors and symbols of up to six places; told apart by form as well as by color, and dark enough on white. */
export const COLORS = ["#0b6aa8", "#b8481a", "#1c7a55", "#84378f", "#6b6200", "#3f4a55"];
export const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross"];
export const WEAK = "#7c878f";
export const INK = "#17222c";
export const MUTED = "#4f5b66";

/**
 * An element with attributes and children. Attributes that start with "on" are listeners; null and false are left out.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {(Node | string | null | undefined | false)[]} children
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child) made.append(child);
  return made;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found;
}

/**
 * A small picture, hidden from screen readers: the words beside it say the same.
 * @param {number} size
 * @param {string} content
 */
export function picture(size, content) {
  const holder = document.createElement("span");
  holder.innerHTML = `<svg width="${size}" height="${size}" viewBox="-8 -8 16 16" aria-hidden="true" focusable="false">${content}</svg>`;
  return /** @type {SVGElement} */ (holder.firstElementChild);
}

/** @type {Record<string, string>} */
const SYMBOL_TYPES = { circle: "symbolCircle", square: "symbolSquare", triangle: "symbolTriangle", diamond: "symbolDiamond", star: "symbolStar", cross: "symbolCross" };

/** The outline of a place's symbol. @param {number} index @param {number} area */
export const symbolPath = (index, area) => d3.symbol(d3[SYMBOL_TYPES[SYMBOLS[index]]], area)();

/** The symbol of the place at that position of the choice. @param {number} index */
export const placeMark = (index) => picture(14, `<path d="${symbolPath(index, 110)}" fill="${COLORS[index]}"/>`);

/** Full, half or empty ring. @param {number} quality */
export function qualityMark(quality) {
  const color = quality === 3 ? WEAK : INK;
  const ring = `<circle r="5.500" fill="#fff" stroke="${color}" stroke-width="1.800"${quality === 3 ? ' stroke-dasharray="2.600 1.900"' : ""}/>`;
  const fill = quality === 1 ? `<circle r="5.500" fill="${color}"/>` : quality === 2 ? `<path d="M0-5.500A5.500 5.500 0 0 0 0 5.500Z" fill="${color}"/>` : "";
  return picture(13, ring + fill);
}

/** Quality as symbol and word, with its meaning on hover. @param {Catalog} all @param {number} quality */
export function badge(all, quality) {
  const [word, meaning] = all.quality[String(quality)] ?? ["", ""];
  return element("span", { class: `badge ${word.toLowerCase()}`, title: meaning }, qualityMark(quality), word);
}

/** Says on the page that something went wrong. @param {unknown} error */
export function fail(error) {
  const text = error instanceof Error ? error.message : String(error);
  const main = byId("main");
  main.prepend(
    element("div", { class: "wrap", role: "alert" }, element("p", { class: "nothing" }, `The data could not be read (${text}). If you opened the file itself, open the folder through a web server instead: mobility explore.`)),
  );
}

/** Copies text; true if it worked. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

let fields = 0;

/**
 * A choice list with its label.
 * @param {[string, string][]} options value and text
 * @param {string} chosen
 * @param {string} label
 * @param {(value: string) => void} changed
 */
export function choice(options, chosen, label, changed) {
  const id = `field-${++fields}`;
  const select = /** @type {HTMLSelectElement} */ (
    element("select", { id, onchange: () => changed(select.value) }, ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)))
  );
  return element("div", { class: "field" }, element("label", { for: id }, label), select);
}

/** @param {Place} place */
export const profileLink = (place) => `profile.html?place=${place.id}`;
