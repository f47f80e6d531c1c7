// Charts of a card, drawn with Observable Plot. Each returns an <svg> with a text alternative.
/** @import {Break, Figure, Metric, Place} from "./types.d.ts" */
import { between } from "./change.js";
import { COLORS, INK, MUTED, SYMBOLS, WEAK } from "./page.js";
import { formatOf, intervalText, number, shortName, valueText } from "./words.js";

export const FONT = '"Source Sans 3", "Helvetica Neue", Arial, sans-serif';
const STYLE = { fontFamily: FONT, fontSize: "13px", color: INK, background: "transparent", overflow: "visible" };

/**
 * @typedef {object} Row
 * @property {number} index of the place in the choice, for color and symbol
 * @property {Place} place
 * @property {Figure} figure
 */

/** @typedef {Row & {value: number}} There */

/** @param {Row} row @returns {row is There & Row} */
const isThere = (row) => row.figure.value !== null;

const colorOf = (/** @type {Row} */ row) => (row.figure.quality === 3 ? WEAK : COLORS[row.index]);
const tintOf = (/** @type {Row} */ row) => (row.figure.quality === 1 ? COLORS[row.index] : row.figure.quality === 2 ? tint(COLORS[row.index]) : "#ffffff");

/** A light shade of a color. @param {string} color */
function tint(color) {
  return d3.interpolateRgb(color, "#ffffff")(0.62);
}

/** @param {string} word */
const quality = (word) => ["", "Strong", "Marginal", "Weak"][Number(word)] ?? "";

/** @param {Metric} metric @param {Row} row */
function tip(metric, row) {
  const { figure } = row;
  const interval = intervalText(metric, figure);
  return [
    shortName(row.place),
    `${figure.group === "All" ? "" : `${figure.group}, `}${figure.year}: ${valueText(metric, figure)}`,
    interval && `Interval ${interval}`,
    quality(String(figure.quality)),
  ]
    .filter(Boolean)
    .join("\n");
}

/**
 * Range of the scale: all values and, if shown, bounds, with some room; never beyond what the metric can be.
 * @param {Metric} metric
 * @param {Row[]} rows
 * @param {boolean} interval
 */
function domain(metric, rows, interval) {
  const numbers = rows.flatMap(({ figure }) => [
    ...(metric.pair ? [figure.numerator, figure.denominator] : [figure.value]),
    ...(interval ? [figure.lb, figure.ub] : []),
  ]).filter((n) => n !== null);
  let [low, high] = /** @type {[number, number]} */ (d3.extent(numbers));
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  low -= room;
  high += room;
  if (metric.minimum !== null && low < metric.minimum) low = metric.minimum;
  if (metric.maximum !== null && high > metric.maximum && !metric.pair) high = metric.maximum;
  return [low, high];
}

/** @param {Metric} metric */
function tickFormat(metric) {
  if (metric.pair) return d3.format(".0%");
  const format = formatOf(metric);
  if (format === ".1%") return (/** @type {number} */ n) => d3.format(Number.isInteger(Math.round(n * 1e6) / 1e4) ? ".0%" : ".1%")(n);
  return format === "$,.0f" ? (/** @type {number} */ n) => (Math.abs(n) >= 1000 ? d3.format("$,.0f")(n / 1000) + "k" : d3.format("$,.0f")(n)) : d3.format(",");
}

/** @param {SVGElement} svg @param {string} label */
function named(svg, label) {
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  // The library names the groups inside, too; in a picture with a text of its own that is not allowed.
  for (const group of svg.querySelectorAll("g[aria-label]")) {
    group.setAttribute("data-mark", group.getAttribute("aria-label") ?? "");
    group.removeAttribute("aria-label");
  }
  return svg;
}

/**
 * Values of one year: a line per place, in blocks by group if there is more than one group.
 * @param {Metric} metric
 * @param {Row[]} rows in reading order
 * @param {{width: number, interval: boolean}} options
 * @returns {SVGElement}
 */
export function dotChart(metric, rows, { width, interval }) {
  const groups = [...new Set(rows.map((row) => row.figure.group))];
  const grouped = groups.length > 1;
  const step = grouped ? 22 : 46;
  /** @type {(Row & {at: number})[]} */ const lines = [];
  /** @type {{at: number, text: string, index: number | null}[]} */ const labels = [];
  let at = 0;
  for (const group of groups) {
    if (grouped) {
      labels.push({ at: at + 14, text: group === "All" ? "Everyone" : group, index: null });
      at += 26;
    }
    for (const row of rows.filter((one) => one.figure.group === group)) {
      if (!grouped) labels.push({ at: at + 12, text: shortName(row.place), index: row.index });
      lines.push({ ...row, at: at + (grouped ? step / 2 : 30) });
      at += step;
    }
    if (grouped) at += 8;
  }
  const there = lines.filter(isThere);
  const side = metric.pair ? 12 : 82;
  const top = 4;
  const svg = Plot.plot({
    width,
    height: top + at + 34,
    marginLeft: 10,
    marginRight: side,
    marginTop: top,
    marginBottom: 30,
    style: STYLE,
    x: { domain: there.length ? domain(metric, there, interval) : [0, 1], label: null, ticks: Math.max(3, Math.floor(width / 110)), tickFormat: tickFormat(metric), grid: true, axis: there.length ? "bottom" : null },
    y: { domain: [0, at], range: [top, top + at], axis: null },
    marks: [
      Plot.text(labels, { y: "at", text: "text", frameAnchor: "left", dx: -4, fontWeight: 600, fill: INK, stroke: "white", strokeWidth: 4 }),
      interval && !metric.pair
        ? Plot.ruleY(there.filter(({ figure }) => figure.lb !== null && figure.ub !== null), { x1: (/** @type {Row} */ r) => r.figure.lb, x2: (/** @type {Row} */ r) => r.figure.ub, y: "at", stroke: colorOf, strokeWidth: 2.5, strokeOpacity: 0.55 })
        : null,
      metric.pair
        ? [
            Plot.ruleY(there, { x1: (/** @type {Row} */ r) => r.figure.denominator, x2: (/** @type {Row} */ r) => r.figure.numerator, y: "at", stroke: colorOf, strokeWidth: 1.5 }),
            Plot.ruleX(there, { x: (/** @type {Row} */ r) => r.figure.denominator, y1: (/** @type {Row & {at: number}} */ r) => r.at - 9, y2: (/** @type {Row & {at: number}} */ r) => r.at + 9, stroke: colorOf, strokeWidth: 3 }),
          ]
        : null,
      Plot.dot(there, {
        x: (/** @type {Row} */ r) => (metric.pair ? r.figure.numerator : r.figure.value),
        y: "at",
        r: 6,
        symbol: (/** @type {Row} */ r) => SYMBOLS[r.index],
        fill: tintOf,
        stroke: colorOf,
        strokeWidth: 1.8,
        title: (/** @type {Row} */ r) => tip(metric, r),
        tip: true,
      }),
      metric.pair
        ? null
        : Plot.text(lines, {
            y: "at",
            frameAnchor: "right",
            dx: side - 2,
            textAnchor: "end",
            fontVariant: "tabular-nums",
            fontWeight: (/** @type {Row} */ r) => (r.figure.quality === 3 ? 400 : 600),
            text: (/** @type {Row} */ r) => (r.figure.value === null ? "no figure" : number(metric, r.figure.value)),
            fill: (/** @type {Row} */ r) => (r.figure.value === null || r.figure.quality === 3 ? "#6a7580" : INK),
          }),
    ],
  });
  const said = lines.map((row) => `${shortName(row.place)}${grouped ? `, ${row.figure.group}` : ""}: ${valueText(metric, row.figure)}`);
  return named(svg, `${metric.title}, ${rows[0]?.figure.year}. ${said.join("; ")}.`);
}

/**
 * The breaks to mark on a chart over the years: those of the samples and states shown, from the second year on.
 * @param {Break[]} breaks
 * @param {Row[]} rows
 * @returns {(Break & {letter: string})[]}
 */
export function marked(breaks, rows) {
  const there = rows.filter(isThere);
  const [first, last] = /** @type {[number, number]} */ (d3.extent(there, (/** @type {Row} */ r) => r.figure.year));
  return breaks
    .filter(
      (one) =>
        one.year > first &&
        one.year <= last &&
        one.kind !== "note" &&
        there.some((row) => (!one.level || one.level === row.place.level) && (!one.sample || one.sample === row.figure.sample) && (!one.groups || one.groups.includes(row.figure.kind)) && (!one.states || one.states.includes(row.place.state))),
    )
    .map((one, i) => ({ ...one, letter: String.fromCharCode(65 + i) }));
}

/**
 * Values over the years: a line per place, interrupted where a year is missing or figures do not compare.
 * @param {Metric} metric
 * @param {Row[]} rows oldest first within a place
 * @param {Break[]} breaks
 * @param {{width: number, interval: boolean, year: number}} options
 * @returns {SVGElement}
 */
export function yearChart(metric, rows, breaks, { width, interval, year }) {
  /** @type {(Row & {segment: string})[]} */ const points = [];
  /** @type {Map<number, {row: Row | null, part: number}>} */ const before = new Map();
  for (const row of rows) {
    const last = before.get(row.index) ?? { row: null, part: 0 };
    const apart = !isThere(row) || (last.row && between(breaks, last.row.figure, row.figure, row.place).forbid.length > 0);
    const part = last.part + (apart ? 1 : 0);
    if (isThere(row)) points.push({ ...row, segment: `${row.index}-${part}` });
    before.set(row.index, { row: isThere(row) ? row : last.row, part });
  }
  const years = [...new Set(rows.map((row) => row.figure.year))].sort();
  const signs = marked(breaks, rows);
  // Signs of one year stand beside each other.
  const atYear = d3.rollups(signs, (/** @type {any[]} */ s) => s.map((one) => one.letter).join(" "), (/** @type {any} */ s) => s.year);
  const value = (/** @type {Row} */ r) => (metric.pair && r.figure.numerator !== null && r.figure.denominator ? r.figure.numerator / r.figure.denominator : r.figure.value);
  const shift = (/** @type {Row} */ r) => r.figure.year;
  const numbers = points.flatMap((row) => [value(row), ...(interval && !metric.pair ? [row.figure.lb, row.figure.ub] : [])]).filter((n) => n !== null);
  const [low, high] = d3.extent(numbers);
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  const floor = metric.minimum !== null && low - room < metric.minimum ? metric.minimum : low - room;
  const format = metric.pair ? d3.format(".2f") : tickFormat(metric);
  const every = years.length > 6 && width < 460 ? 2 : 1;
  const svg = Plot.plot({
    width,
    height: 250,
    marginLeft: 52,
    marginRight: 16,
    marginTop: 22,
    marginBottom: 30,
    style: STYLE,
    x: { domain: [years[0] - 0.4, years[years.length - 1] + 0.4], ticks: years.filter((_, i) => (years.length - 1 - i) % every === 0), tickFormat: "d", label: null, tickSize: 0 },
    y: { domain: [floor, high + room], ticks: 5, tickFormat: format, label: null, grid: true, tickSize: 0 },
    marks: [
      Plot.ruleX([year], { stroke: "#cfd6da", strokeWidth: 14, strokeOpacity: 0.35 }),
      Plot.ruleX(atYear, { x: (/** @type {any} */ s) => s[0] - 0.5, stroke: MUTED, strokeDasharray: "4 4" }),
      Plot.text(atYear, { x: (/** @type {any} */ s) => s[0] - 0.5, frameAnchor: "top", dy: -16, text: (/** @type {any} */ s) => s[1], fill: MUTED, fontWeight: 600 }),
      interval && !metric.pair
        ? Plot.ruleX(points.filter(({ figure }) => figure.lb !== null && figure.ub !== null), { x: shift, y1: (/** @type {Row} */ r) => r.figure.lb, y2: (/** @type {Row} */ r) => r.figure.ub, stroke: colorOf, strokeWidth: 2, strokeOpacity: 0.4 })
        : null,
      Plot.line(points, { x: shift, y: value, z: "segment", stroke: (/** @type {Row} */ r) => COLORS[r.index], strokeWidth: 1.8 }),
      Plot.dot(points, { x: shift, y: value, r: 4.5, symbol: (/** @type {Row} */ r) => SYMBOLS[r.index], fill: tintOf, stroke: colorOf, strokeWidth: 1.6, title: (/** @type {Row} */ r) => tip(metric, r), tip: true }),
    ],
  });
  const said = points.map((row) => `${shortName(row.place)} ${row.figure.year} ${valueText(metric, row.figure)}`);
  return named(svg, `${metric.title} over the years. ${said.join("; ")}.`);
}
