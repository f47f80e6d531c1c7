// Is the change real? The rule, as the page "About the figures" states it.
/** @import {Break, Figure, Level, Metric} from "./types.d.ts" */

/** Quantile of the interval: Student's t with 80 degrees of freedom for the American Community Survey, else normal. */
const ACS_QUANTILE = 1.99;
const NORMAL_QUANTILE = 1.96;

/** @typedef {{level: Level, state: string}} Where level and state of a place */

/**
 * @typedef {object} Verdict
 * @property {"real" | "not-real" | "cannot-tell" | "not-comparable" | "missing"} kind
 * @property {string} why one sentence
 * @property {number | null} difference
 * @property {number | null} limit the difference that chance could make; null if the test is not by standard errors
 * @property {string[]} notes
 */

/** @param {string} sample */
export const quantile = (sample) => (sample.startsWith("acs") ? ACS_QUANTILE : NORMAL_QUANTILE);

/** First and last year a figure describes. @param {Figure} figure @returns {[number, number]} */
export function span(figure) {
  const years = /^(\d{4})-(\d{4})$/.exec(figure.period ?? "");
  if (years) return [Number(years[1]), Number(years[2])];
  if (!figure.period && /^acs5/.test(figure.sample)) return [figure.year - 4, figure.year];
  return [figure.year, figure.year];
}

/** The fraction of their years that two samples share. @param {Figure} a @param {Figure} b */
export function sharedYears(a, b) {
  const [[from1, to1], [from2, to2]] = [span(a), span(b)];
  const shared = Math.max(0, Math.min(to1, to2) - Math.max(from1, from2) + 1);
  return shared / Math.max(to1 - from1 + 1, to2 - from2 + 1);
}

/**
 * The breaks between two figures, apart into those that forbid a comparison and those that are notes.
 * @param {Break[]} breaks
 * @param {Figure} a the earlier
 * @param {Figure} b the later
 * @param {Where} place
 */
export function between(breaks, a, b, place) {
  /** @type {Break[]} */ const forbid = [];
  /** @type {Break[]} */ const note = [];
  for (const one of breaks) {
    // A note is about figures of its years, a break about figures on its two sides.
    const told = one.kind === "note" ? [a, b].some((f) => f.year >= one.last && f.year <= one.year) : a.year <= one.last && b.year >= one.year;
    if (!told || (one.level && one.level !== place.level)) continue;
    if (one.sample && one.sample !== b.sample) continue;
    if (one.groups && !one.groups.includes(b.kind)) continue;
    if (one.states && !one.states.includes(place.state)) continue;
    const mild = one.kind === "note" || (one.kind === "sampling areas" && a.quality <= 2 && b.quality <= 2);
    (mild ? note : forbid).push(one);
  }
  return { forbid, note };
}

/**
 * The bounds of a figure if they are usable: both there.
 * @param {Figure} figure
 * @returns {[number, number] | null}
 */
function bounds(figure) {
  return figure.lb === null || figure.ub === null ? null : [figure.lb, figure.ub];
}

/** Whether a bound lies at the end of the scale, so that the interval's width says less than it seems. @param {Figure} figure @param {Metric} metric */
export function clipped(figure, metric) {
  const at = (/** @type {number | null} */ bound, /** @type {number | null} */ end) => bound !== null && end !== null && bound === end;
  return at(figure.lb, metric.minimum) || at(figure.ub, metric.maximum);
}

/**
 * The verdict on the change from `a` to `b`, two figures of one place, metric and group; `a` is the earlier.
 * @param {Figure} a
 * @param {Figure} b
 * @param {Metric} metric
 * @param {Break[]} breaks
 * @param {Where} place
 * @returns {Verdict}
 */
export function verdict(a, b, metric, breaks, place) {
  /** @type {Verdict} */
  const base = { kind: "missing", why: "", difference: null, limit: null, notes: [] };
  if (a.value === null || b.value === null) {
    const gap = a.value === null ? a : b;
    return { ...base, why: `There is no figure for ${gap.year}. ${gap.reason}`.trim() };
  }
  const difference = b.value - a.value;
  if (a.sample !== b.sample) {
    const why = "The two figures come from different samples, such as one year of interviews and five years pooled.";
    return { ...base, kind: "not-comparable", why };
  }
  const { forbid, note } = between(breaks, a, b, place);
  if (forbid.length) {
    const weak = (/** @type {Break} */ one) => (one.kind === "sampling areas" ? " One of the two figures is Weak, so they are not compared." : "");
    const why = forbid.map((one) => `From ${one.year}: ${one.text}${weak(one)}`).join(" ");
    return { ...base, kind: "not-comparable", why };
  }
  const fit = (/** @type {Break} */ one) => (one.kind === "sampling areas" ? " Both figures are Strong or Marginal, so they are compared all the same." : "");
  const notes = note.map((one) => (one.kind === "note" ? `Note: ${one.text}` : `Note, from ${one.year}: ${one.text}${fit(one)}`));
  const found = { ...base, difference, notes };
  const [first, second] = [bounds(a), bounds(b)];
  if (!first || !second) {
    const why =
      metric.interval === "none"
        ? "This metric is published without an interval, so chance cannot be told from change."
        : "One of the two figures has no complete interval.";
    return { ...found, kind: "cannot-tell", why };
  }
  const disjoint = first[1] < second[0] || second[1] < first[0];
  const [form, because] = specialCase(a, b, metric);
  if (form) {
    if (disjoint) return { ...found, kind: "real", why: `${because} The two intervals do not touch.` };
    return { ...found, kind: "cannot-tell", why: `${because} The two intervals overlap.` };
  }
  const se = (/** @type {Figure} */ f, /** @type {[number, number]} */ [lb, ub]) => (ub - lb) / (2 * quantile(f.sample));
  const shared = sharedYears(a, b);
  const limit = NORMAL_QUANTILE * Math.sqrt(se(a, first) ** 2 + se(b, second) ** 2) * Math.sqrt(1 - shared);
  if (shared > 0) {
    notes.push(`The two samples share ${Math.round(shared * 100)} percent of their years; the limit allows for it.`);
  }
  if (limit === 0) return { ...found, kind: "cannot-tell", why: "The intervals have no width, so there is nothing to test with." };
  const real = Math.abs(difference) > limit;
  const why = real
    ? "The difference is larger than chance alone would make it."
    : "Chance alone could make a difference of this size.";
  return { ...found, kind: real ? "real" : "not-real", why, limit };
}

/**
 * Whether the two intervals can only be held against each other, and why.
 * @param {Figure} a
 * @param {Figure} b
 * @param {Metric} metric
 * @returns {[boolean, string]}
 */
function specialCase(a, b, metric) {
  if (metric.interval === "suppression") {
    return [true, "These are counts; the interval is the range that suppression at the source leaves open."];
  }
  if (metric.percentile) return [true, "Intervals of percentiles are not symmetric, so no test is made with their width."];
  if (clipped(a, metric) || clipped(b, metric)) {
    return [true, "An interval is cut off at the end of the scale, so no test is made with its width."];
  }
  return [false, ""];
}

/** @type {Record<Verdict["kind"], string>} */
export const VERDICT_WORDS = {
  real: "Real change",
  "not-real": "Not a real change",
  "cannot-tell": "Cannot tell",
  "not-comparable": "Not comparable",
  missing: "No figure",
};

/**
 * The earliest year whose figure may be compared with the one of `to`: one that is not across a break.
 * @param {Figure[]} all one figure per year, oldest first
 * @param {Figure} to
 * @param {Break[]} breaks
 * @param {Where} place
 * @returns {Figure | undefined}
 */
export function earliestComparable(all, to, breaks, place) {
  return all.find(
    (f) => f.year < to.year && f.value !== null && f.sample === to.sample && !between(breaks, f, to, place).forbid.length,
  );
}
