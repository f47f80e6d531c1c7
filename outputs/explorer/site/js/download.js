// Downloads of a card: figures as CSV, charts as SVG or PNG.
/** @import {Catalog, Figure, Metric, Place} from "./types.d.ts" */
import { FONT } from "./charts.js";
import { COLORS, INK, MUTED, symbolPath } from "./page.js";
import { shortName } from "./words.js";

export const COLUMNS = [
  "geoid", "location", "state", "year", "subgroup_type", "subgroup", "metric", "value", "lb", "ub", "quality", "reason",
  "areas_described", "records", "numerator", "denominator", "sample", "reference_period", "release", "notice",
];

/** @param {unknown} cell */
function csvCell(cell) {
  const text = cell === null || cell === undefined ? "" : String(cell);
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/**
 * Figures as CSV with all that belongs to them; numbers in full precision, missing cells empty.
 * @param {Catalog} all
 * @param {string} metric
 * @param {{place: Place, figure: Figure}[]} rows
 */
export function csv(all, metric, rows) {
  const lines = rows.map(({ place, figure }) => [
    place.id, place.published, place.stateName, figure.year, figure.kind, figure.group, metric, figure.value, figure.lb,
    figure.ub, all.quality[String(figure.quality)]?.[0], figure.reason, figure.areas || null, figure.records,
    figure.numerator, figure.denominator, all.samples[figure.sample] ?? figure.sample, figure.period ?? figure.year,
    all.release, all.notice,
  ]);
  return [COLUMNS, ...lines].map((line) => line.map(csvCell).join(",") + "\n").join("");
}

/** Offers text or a picture as a file. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Breaks text into lines of at most so many characters. @param {string} text @param {number} width */
function wrapped(text, width) {
  /** @type {string[]} */ const lines = [""];
  for (const word of text.split(/\s+/)) {
    const last = lines[lines.length - 1];
    if (last && last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}

/**
 * One picture of a card: title, legend, charts, source and release.
 * @param {Catalog} all
 * @param {Metric} metric
 * @param {{subtitle: string, places: Place[], charts: {caption: string, svg: SVGElement}[], notes: string[], source: string}} content
 * @returns {SVGSVGElement}
 */
export function compose(all, metric, { subtitle, places, charts, notes, source }) {
  const space = 28;
  const sizes = charts.map(({ svg }) => [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))]);
  const width = Math.max(640, ...sizes.map(([w]) => w)) + 2 * space;
  const root = d3.create("svg").attr("xmlns", "http://www.w3.org/2000/svg").attr("font-family", FONT).attr("fill", INK);
  const paper = root.append("rect").attr("fill", "#ffffff").attr("width", width);
  let y = space;
  const write = (/** @type {string} */ text, size = 14, weight = 400, color = INK) => {
    for (const line of wrapped(text, Math.floor((width - 2 * space) / (size * 0.5)))) {
      y += size * 1.3;
      root.append("text").attr("x", space).attr("y", y).attr("font-size", size).attr("font-weight", weight).attr("fill", color).text(line);
    }
  };
  if (all.notice) write(all.notice, 13, 700, "#7a4a00");
  write(metric.title, 20, 700);
  write(subtitle, 14, 400, MUTED);
  y += 22;
  let x = space;
  places.forEach((place, i) => {
    const text = shortName(place);
    const long = 26 + text.length * 7.3;
    if (x + long > width - space) [x, y] = [space, y + 22];
    root.append("path").attr("transform", `translate(${x + 7},${y - 5})`).attr("d", symbolPath(i, 100)).attr("fill", COLORS[i]);
    root.append("text").attr("x", x + 20).attr("y", y).attr("font-size", 14).text(text);
    x += long;
  });
  y += 12;
  charts.forEach(({ caption, svg }, i) => {
    write(caption, 14, 600);
    const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
    copy.setAttribute("x", String(space));
    copy.setAttribute("y", String(y + 8));
    root.node().append(copy);
    y += sizes[i][1] + 18;
  });
  for (const note of notes) write(note, 12, 400, MUTED);
  write(`Filled: Strong. Tinted: Marginal. Grey and hollow: Weak. Source: ${source}`, 12, 400, MUTED);
  write(`Mobility Metrics, release ${all.release}`, 12, 400, MUTED);
  const height = y + space;
  paper.attr("height", height);
  return root.attr("width", width).attr("height", height).attr("viewBox", `0 0 ${width} ${height}`).node();
}

/** @param {SVGSVGElement} svg */
export const svgBlob = (svg) => new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });

/** The picture as PNG, twice as fine as on screen. @param {SVGSVGElement} svg @returns {Promise<Blob>} */
export async function pngBlob(svg) {
  const scale = 2;
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Number(svg.getAttribute("width")) * scale;
  canvas.height = Number(svg.getAttribute("height")) * scale;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw pictures");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, refuse) => canvas.toBlob((blob) => (blob ? done(blob) : refuse(new Error("no picture"))), "image/png"));
}
