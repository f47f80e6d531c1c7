// The view as text in the address, so that a link restores it: places, predictors, and each card's settings.

/**
 * @typedef {object} CardState
 * @property {number} [year]
 * @property {string} [kind] family of groups
 * @property {string} [group] group of the chart over the years
 * @property {boolean} [interval]
 * @property {"chart" | "table"} [view]
 * @property {number} [from] first year of the change
 * @property {number} [to]
 */

/**
 * @typedef {object} View
 * @property {string[]} places
 * @property {string[] | null} predictors null means all
 * @property {Record<string, CardState>} cards by metric
 * @property {string} [focus] metric to scroll to
 */

/** @type {Record<string, keyof CardState>} */
const NAMES = { y: "year", k: "kind", g: "group", i: "interval", v: "view", f: "from", t: "to" };

/** @param {CardState} card */
function cardText(card) {
  return Object.entries(NAMES)
    .filter(([, name]) => card[name] !== undefined)
    .map(([short, name]) => `${short}.${name === "interval" ? Number(card.interval) : card[name]}`)
    .join("~");
}

/** @param {string} text @returns {CardState} */
function cardOf(text) {
  /** @type {Record<string, any>} */
  const card = {};
  for (const part of text.split("~")) {
    const [short, value] = [part.slice(0, 1), part.slice(2)];
    const name = NAMES[short];
    if (name === "year" || name === "from" || name === "to") card[name] = Number(value);
    else if (name === "interval") card[name] = value === "1";
    else if (name) card[name] = value;
  }
  return card;
}

/** @param {View} view @returns {string} the part of the address after # */
export function encode(view) {
  const text = new URLSearchParams();
  if (view.places.length) text.set("places", view.places.join("."));
  if (view.predictors) text.set("predictors", view.predictors.join("."));
  for (const [metric, card] of Object.entries(view.cards)) {
    const said = cardText(card);
    if (said) text.set(`card.${metric}`, said);
  }
  if (view.focus) text.set("focus", view.focus);
  return text.toString();
}

/** @param {string} hash @returns {View} */
export function decode(hash) {
  const text = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {Record<string, CardState>} */
  const cards = {};
  for (const [name, value] of text) if (name.startsWith("card.")) cards[name.slice(5)] = cardOf(value);
  const predictors = text.get("predictors");
  return {
    places: (text.get("places") ?? "").split(".").filter(Boolean),
    predictors: predictors === null ? null : predictors.split(".").filter(Boolean),
    cards,
    focus: text.get("focus") ?? undefined,
  };
}
