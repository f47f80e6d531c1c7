// Figures in words: numbers by their unit, sentences, quality.
/** @import {Catalog, Figure, Metric, Place} from "./types.d.ts" */

/** @type {[RegExp, string][]} */
const FORMATS = [
  [/^share$/, ".1%"],
  [/dollar/, "$,.0f"],
  [/^count$/, ",.0f"],
  [/physician/, ",.0f"],
  [/^rate per 100,000$/, ",.1f"],
  [/^rate per 10,000$/, ".1f"],
  [/^index/, ".1f"],
];

/** The number format of a metric's unit, as d3 writes it. @param {Metric} metric */
export function formatOf(metric) {
  return FORMATS.find(([unit]) => unit.test(metric.unit))?.[1] ?? ",.2f";
}

/** @param {Metric} metric @param {number | null} value */
export function number(metric, value) {
  return value === null ? "" : d3.format(formatOf(metric))(value);
}

/** The value as readers see it; pairs show both shares. @param {Metric} metric @param {Figure} figure */
export function valueText(metric, figure) {
  if (figure.value === null) return "no figure";
  if (!metric.pair || figure.numerator === null || figure.denominator === null) return number(metric, figure.value);
  const share = d3.format(".1%");
  return `${share(figure.numerator)} of value, ${share(figure.denominator)} of households`;
}

/** @param {Metric} metric @param {Figure} figure */
export function intervalText(metric, figure) {
  const { lb, ub } = figure;
  if (lb === null && ub === null) return "";
  return `${lb === null ? "?" : number(metric, lb)} to ${ub === null ? "?" : number(metric, ub)}`;
}

/** A difference with its sign; shares in percentage points. @param {Metric} metric @param {number} difference */
export function differenceText(metric, difference) {
  if (metric.unit === "share") return `${d3.format("+.1f")(difference * 100)} percentage points`;
  const format = formatOf(metric);
  return d3.format(format.startsWith("$") ? `+${format}` : `+${format}`)(difference);
}

/** Size of a difference without sign. @param {Metric} metric @param {number} size */
export function sizeText(metric, size) {
  return metric.unit === "share" ? `${d3.format(".1f")(size * 100)} points` : number(metric, size);
}

/** "Forsyth County, North Carolina" @param {Place} place */
export const fullName = (place) => (place.stateName ? `${place.name}, ${place.stateName}` : place.name);

/** "Forsyth County, NC" @param {Place} place */
export const shortName = (place) => (place.postal ? `${place.name}, ${place.postal}` : place.name);

/** @param {Place} place */
export const kindOf = (place) => (place.level === "county" ? "County" : "City");

/**
 * The sentence of a figure, from the metric's own wording; placeholders are {name}, {year} and figures with a format.
 * @param {Metric} metric
 * @param {Figure} figure
 * @param {Place} place
 */
export function sentence(metric, figure, place) {
  const value = figure.value;
  if (value === null) return `${fullName(place)} has no figure for ${figure.year}. ${figure.reason}`;
  const given = { value, numerator: figure.numerator, denominator: figure.denominator };
  const template = metric.sentence || `In {year}, in {name}: {value} (${metric.title}).`;
  const text = template.replace(/\{(\w+)(?::([^}]*))?\}/g, (_, field, format) => {
    if (field === "name") return fullName(place);
    if (field === "year") return String(figure.year);
    const found = given[/** @type {keyof typeof given} */ (field)];
    return found === null || found === undefined ? "?" : d3.format(format || formatOf(metric))(found);
  });
  return figure.group === "All" ? text : `${figure.group}: ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** Strong, Marginal, Weak; empty without a value. @param {Catalog} all @param {number} quality */
export const qualityWord = (all, quality) => all.quality[String(quality)]?.[0] ?? "";

/** The remark about a figure that several areas share; empty if it is the place's own. @param {Figure} figure @param {Place} place */
export function areaRemark(figure, place) {
  if (figure.value === null || figure.areas < 2) return "";
  return `This value describes an area of ${figure.areas} ${place.level === "county" ? "counties" : "cities"}.`;
}

/** Years a figure describes, for example 2014–2018. @param {Figure} figure */
export function periodText(figure) {
  return (figure.period ?? String(figure.year)).replace("-", "–");
}
