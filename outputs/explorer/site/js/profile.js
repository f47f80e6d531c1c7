// The profile of one place: all predictors on a page that prints, beside peers and medians.
/** @import {Catalog, Figure, Metric, Place, PlaceFile} from "./types.d.ts" */
import { VERDICT_WORDS, earliestComparable, verdict } from "./change.js";
import { catalog, medians, placeFile, placesById, series } from "./data.js";
import { MUTED, WEAK, badge, byId, element, fail, picture } from "./page.js";
import { searchField } from "./search.js";
import { areaRemark, differenceText, fullName, intervalText, kindOf, number, periodText, shortName, valueText } from "./words.js";

/** A change is judged against the latest comparable year that is at least so long ago. */
const YEARS_APART = 4;

/** The latest figure of a series, if there is one. @param {Figure[]} all */
const latest = (all) => all.findLast((figure) => figure.value !== null);

/**
 * A place among its peers and the nation's median, on one line.
 * @param {number} value
 * @param {number[]} peers
 * @param {number | null} median
 * @param {number} quality
 */
function strip(value, peers, median, quality) {
  const all = [value, ...peers, ...(median === null ? [] : [median])];
  const [low, high] = d3.extent(all);
  const x = d3.scaleLinear(low === high ? [low - 1, high + 1] : [low, high], [6, 134]);
  const own = quality === 3 ? `<circle cx="${x(value)}" cy="9" r="5" fill="#fff" stroke="${WEAK}" stroke-width="2"/>` : `<circle cx="${x(value)}" cy="9" r="5.5" fill="#0b6aa8"/>`;
  const others = peers.map((peer) => `<line x1="${x(peer)}" x2="${x(peer)}" y1="4" y2="14" stroke="${MUTED}" stroke-width="1.3"/>`).join("");
  const middle = median === null ? "" : `<path d="M${x(median)} 1l4 4h-8z" fill="#b8481a"/>`;
  const svg = picture(140, `<line x1="2" x2="138" y1="9" y2="9" stroke="#dde2e5"/>${others}${middle}${own}`);
  svg.setAttribute("viewBox", "0 0 140 18");
  svg.setAttribute("height", "18");
  return svg;
}

/**
 * The change to the latest figure in a word, from the latest comparable year at least four years before; if there is
 * none, from the earliest comparable year.
 * @param {Figure[]} all
 * @param {Figure} last
 * @param {Metric} metric
 * @param {Place} place
 */
function changeCell(all, last, metric, place) {
  const comparable = all.filter((f) => earliestComparable([f], last, metric.breaks, place));
  const earlier = all.filter((f) => f.year <= last.year - YEARS_APART);
  const from = comparable.filter((f) => earlier.includes(f)).at(-1) ?? comparable[0] ?? earlier.findLast((f) => f.value !== null) ?? all.find((f) => f.value !== null && f.year < last.year);
  if (!from) return element("td", { class: "optional" }, "–", element("small", {}, "one year only"));
  const told = verdict(from, last, metric, metric.breaks, place);
  const by = told.difference === null || metric.pair ? "" : `${differenceText(metric, told.difference).replace("percentage points", "points")}, `;
  const word = VERDICT_WORDS[told.kind];
  const verdictWord = element("span", { class: `word ${told.kind}`, title: told.why }, by ? word.toLowerCase() : word);
  return element("td", { class: "optional change-cell" }, by, verdictWord, element("small", {}, `since ${from.year}`));
}

/**
 * @param {Catalog} all
 * @param {Place} place
 * @param {PlaceFile} file
 * @param {{place: Place, file: PlaceFile}[]} peers
 * @param {{nation: any, state: any}} middle
 */
function tables(all, place, file, peers, middle) {
  return Object.entries(all.pillars).flatMap(([pillar, title]) => {
    const rows = all.predictors
      .filter((p) => p.pillar === pillar)
      .flatMap((predictor) => predictor.metrics.map((name) => row(all, place, file, peers, middle, name)));
    if (!rows.length) return [];
    const head = [
      ["Metric", ""], ["Latest figure", "number"], ["Quality", ""], ["Change", "optional"], ["State median", "number optional"], ["National median", "number"], ["Among peers", "strip optional"],
    ];
    return [
      element("h2", { id: `pillar-${pillar}` }, title),
      element(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `pillar-${pillar}` },
        element("table", {}, element("thead", {}, element("tr", {}, ...head.map(([text, kind]) => element("th", { scope: "col", class: kind || null }, text)))), element("tbody", {}, ...rows)),
      ),
    ];
  });
}

/**
 * @param {Catalog} all
 * @param {Place} place
 * @param {PlaceFile} file
 * @param {{place: Place, file: PlaceFile}[]} peers
 * @param {{nation: any, state: any}} middle
 * @param {string} name
 */
function row(all, place, file, peers, middle, name) {
  const metric = all.metrics[name];
  const years = series(all, file, place.level, name, "all", "All");
  const last = latest(years);
  const label = element("th", { scope: "row" }, metric.title);
  if (!last) {
    const newest = years.at(-1);
    const why = newest ? newest.reason || "No reason is recorded." : "Published for counties only: the source does not report by city.";
    return element("tr", { "data-metric": name }, label, element("td", { colspan: 6, class: "weak-value" }, `No figure. ${why}`));
  }
  const median = (/** @type {any} */ scope) => scope?.[name]?.[place.level]?.[String(last.year)] ?? null;
  const beside = peers.flatMap(({ place: peer, file: theirs }) => {
    const found = series(all, theirs, peer.level, name, "all", "All").find((f) => f.year === last.year);
    return found && found.value !== null && found.quality < 3 ? [found.value] : [];
  });
  const remark = areaRemark(last, place);
  const medianText = (/** @type {number | null} */ value) => (metric.pair ? "–" : value === null ? "hidden" : number(metric, value));
  return element(
    "tr",
    { class: last.quality === 3 ? "weak" : null, "data-metric": name },
    label,
    element("td", { class: "number" }, valueText(metric, last), element("small", {}, [periodText(last), intervalText(metric, last)].filter(Boolean).join(" · ")), remark ? element("small", { class: "area" }, remark) : null),
    element("td", {}, badge(all, last.quality)),
    changeCell(years, last, metric, place),
    element("td", { class: "number optional" }, medianText(median(middle.state))),
    element("td", { class: "number" }, medianText(median(middle.nation))),
    element(
      "td",
      { class: "strip optional" },
      !metric.pair && beside.length ? strip(/** @type {number} */ (last.value), beside, median(middle.nation), last.quality) : "",
      !metric.pair && beside.length ? element("span", { class: "visually-hidden" }, `Peers: ${beside.map((v) => number(metric, v)).join(", ")}`) : element("small", {}, metric.pair ? "" : "no comparable peers"),
    ),
  );
}

try {
  const [all, known] = await Promise.all([catalog(), placesById()]);
  byId("search").append(searchField([...known.values()], (place) => location.assign(`profile.html?place=${place.id}`), { label: "Profile of a county or city" }).node);
  const place = known.get(new URLSearchParams(location.search).get("place") ?? "");
  if (!place) {
    byId("content").append(element("h1", {}, "Place profile"), element("p", {}, "Choose a county or city above: its profile shows every predictor on a page that prints."));
  } else {
    const file = await placeFile(place.id);
    const peers = file.peers.flatMap((id) => known.get(id) ?? []);
    const files = await Promise.all(peers.map((peer) => placeFile(peer.id)));
    const [nation, state] = await Promise.all([medians("US").catch(() => null), medians(place.state).catch(() => null)]);
    const beside = peers.map((peer, i) => ({ place: peer, file: files[i] }));
    document.title = `${fullName(place)} · ${document.title}`;
    byId("content").append(
      element(
        "div",
        { class: "top" },
        element(
          "div",
          {},
          element("h1", {}, fullName(place)),
          element("p", { class: "facts" }, [kindOf(place), place.id, place.population && `${d3.format(",")(place.population)} people`, place.region && `census region ${place.region}`].filter(Boolean).join(" · ")),
        ),
        element("a", { class: "button screen-only", href: `index.html#places=${[place.id, ...file.peers].join(".")}` }, "Compare with its peers"),
        element("button", { type: "button", class: "button screen-only", onclick: () => window.print() }, "Print"),
      ),
      element(
        "p",
        { class: "peers" },
        peers.length ? element("b", {}, "Peers: ") : "",
        ...peers.flatMap((peer, i) => [i ? ", " : "", element("a", { href: `profile.html?place=${peer.id}` }, shortName(peer))]),
        peers.length ? element("br") : "",
        element("small", { class: "weak-value" }, all.rules.peers),
      ),
      element("p", { class: "key" }, element("span", {}, picture(14, '<circle r="5.5" fill="#0b6aa8"/>'), "This place"), element("span", {}, picture(14, `<line y1="-6" y2="6" stroke="${MUTED}" stroke-width="1.6"/>`), "A peer (Strong or Marginal)"), element("span", {}, picture(14, '<path d="M0-5l6 9h-12z" fill="#b8481a"/>'), "National median")),
      ...tables(all, place, file, beside, { nation, state }),
      element("p", { class: "notes" }, `${all.rules.medians} A change is judged against the latest comparable year at least ${YEARS_APART} years before; if there is none, against the earliest comparable one. `, element("a", { href: "about.html#change" }, "How a change is judged")),
    );
  }
  document.body.dataset.ready = "profile";
} catch (error) {
  fail(error);
  throw error;
}
