// The card of one metric: settings, sentences, charts or table, the verdict on a change, sources, downloads.
/** @import {Break, Catalog, Figure, Metric, Place, PlaceFile, Predictor} from "./types.d.ts" */
/** @import {CardState} from "./state.js" */
/** @import {Row} from "./charts.js" */
import { VERDICT_WORDS, earliestComparable, verdict } from "./change.js";
import { dotChart, marked, yearChart } from "./charts.js";
import { figure, series, table } from "./data.js";
import { compose, csv, pngBlob, save, svgBlob } from "./download.js";
import { badge, choice, copy, element, placeMark, qualityMark } from "./page.js";
import { areaRemark, differenceText, fullName, intervalText, periodText, qualityWord, sentence, shortName, sizeText, valueText } from "./words.js";

const EVERYONE = "All";

/** A sign on the years in words. @param {Break} one */
const signText = (one) => `${one.kind === "sampling areas" ? "From" : "Break in comparability from"} ${one.year}: ${one.text}`;

/**
 * @typedef {object} Chosen
 * @property {Place} place
 * @property {PlaceFile} file
 */

/**
 * What a card shows, with every setting filled in.
 * @typedef {Required<Omit<CardState, "from" | "to">> & {from: number, to: number}} Shown
 */

export class Card {
  /**
   * @param {Catalog} all
   * @param {string} name column of the metric
   * @param {Chosen[]} chosen
   * @param {CardState} state changed in place, so that the address follows
   * @param {{changed: () => void, link: (metric: string) => string}} page
   */
  constructor(all, name, chosen, state, page) {
    this.all = all;
    this.name = name;
    /** @type {Metric} */ this.metric = all.metrics[name];
    /** @type {Predictor} */ this.predictor = /** @type {Predictor} */ (all.predictors.find((p) => p.key === this.metric.predictor));
    this.chosen = chosen;
    this.state = state;
    this.page = page;
    this.node = element("article", { class: "card", id: `card-${name}`, "data-metric": name, "aria-labelledby": `title-${name}` }, element("h3", { id: `title-${name}` }, this.metric.title));
    this.drawn = false;
  }

  /** Families of groups that some chosen place has. */
  get kinds() {
    const levels = new Set(this.chosen.map(({ place }) => place.level));
    return Object.keys(this.all.kinds).filter((kind) => [...levels].some((level) => table(this.all, this.name, level, kind)));
  }

  /** Places whose level has this metric at all. */
  get able() {
    return this.chosen.filter(({ place }) => this.metric.tables[place.level]);
  }

  /** @param {string} kind @returns {number[]} */
  yearsOf(kind) {
    const years = this.able.flatMap(({ place }) => table(this.all, this.name, place.level, kind)?.years ?? []);
    return [...new Set(years)].sort();
  }

  /** @param {string} kind @returns {string[]} */
  groupsOf(kind) {
    const groups = this.able.flatMap(({ place }) => table(this.all, this.name, place.level, kind)?.groups ?? []);
    return [...new Set(groups)];
  }

  /** Years in which some chosen place has a figure. @param {string} kind @param {string} group */
  yearsWithFigures(kind, group) {
    const years = this.able.flatMap(({ place, file }) =>
      series(this.all, file, place.level, this.name, kind, group).filter((f) => f.value !== null).map((f) => f.year),
    );
    return [...new Set(years)].sort();
  }

  /** The settings in force: those of the address where they are possible, else the most useful ones. @returns {Shown} */
  get shown() {
    const { state } = this;
    const kind = state.kind && this.kinds.includes(state.kind) ? state.kind : (this.kinds[0] ?? "all");
    const groups = this.groupsOf(kind);
    const group = state.group && groups.includes(state.group) ? state.group : (groups[0] ?? EVERYONE);
    const years = this.yearsOf(kind);
    const full = this.yearsWithFigures(kind, group);
    const pick = (/** @type {number | undefined} */ asked, /** @type {number} */ other) => (asked !== undefined && years.includes(asked) ? asked : other);
    const latest = full[full.length - 1] ?? years[years.length - 1];
    const year = pick(state.year, latest);
    const to = pick(state.to, latest);
    const first = this.firstComparable(kind, group, to);
    return { kind, group, year, interval: state.interval ?? true, view: state.view ?? "chart", from: pick(state.from, first), to };
  }

  /** @param {string} kind @param {string} group @param {number} to */
  firstComparable(kind, group, to) {
    for (const { place, file } of this.able) {
      const all = series(this.all, file, place.level, this.name, kind, group);
      const last = all.find((f) => f.year === to && f.value !== null);
      const first = last && earliestComparable(all, last, this.metric.breaks, place);
      if (first) return first.year;
    }
    return this.yearsOf(kind)[0];
  }

  /** @param {CardState} change */
  set(change) {
    Object.assign(this.state, change);
    this.page.changed();
    this.draw();
  }

  /** Rows of the chosen year: places within groups. @param {Shown} shown @returns {Row[]} */
  rowsOfYear({ kind, year }) {
    return this.groupsOf(kind).flatMap((group) =>
      this.rows(({ place, file }) => {
        const found = figure(this.all, file, place.level, this.name, kind, year, group);
        return found ? [found] : [];
      }),
    );
  }

  /** Rows of all years of a group. @param {string} kind @param {string} group @returns {Row[]} */
  rowsOfGroup(kind, group) {
    return this.rows(({ place, file }) => series(this.all, file, place.level, this.name, kind, group));
  }

  /** @param {(one: Chosen) => Figure[]} figures @returns {Row[]} */
  rows(figures) {
    return this.chosen.flatMap((one, index) => figures(one).map((found) => ({ index, place: one.place, figure: found })));
  }

  draw() {
    const focused = document.activeElement instanceof HTMLElement && this.node.contains(document.activeElement) ? document.activeElement.dataset.control : undefined;
    const open = this.node.querySelector("details")?.open ?? false;
    this.drawn = true;
    const heading = this.node.firstElementChild ?? "";
    if (!this.able.length) {
      this.node.replaceChildren(heading, element("p", { class: "nothing" }, this.absence()));
      return;
    }
    const shown = this.shown;
    const rows = this.rowsOfYear(shown);
    this.node.replaceChildren(
      heading,
      this.controls(shown),
      this.sentences(shown),
      shown.view === "table" ? this.table(rows) : this.charts(shown, rows),
      this.change(shown),
      this.sources(shown, open),
      this.actions(shown),
    );
    if (focused) /** @type {HTMLElement | null} */ (this.node.querySelector(`[data-control="${focused}"]`))?.focus();
  }

  absence() {
    const levels = Object.keys(this.metric.tables);
    return levels.includes("county")
      ? "This metric is published for counties only: its source does not report by city."
      : "This metric is not published for the places you chose.";
  }

  /** @param {Shown} shown */
  controls(shown) {
    const { all } = this;
    const named = (/** @type {HTMLElement} */ field, /** @type {string} */ name) => {
      /** @type {HTMLElement} */ (field.querySelector("select, input")).dataset.control = name;
      return field;
    };
    const full = new Set(this.yearsWithFigures(shown.kind, shown.group));
    const years = this.yearsOf(shown.kind).reverse();
    const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", checked: shown.interval, onchange: () => this.set({ interval: box.checked }) }));
    const view = (/** @type {"chart" | "table"} */ name, /** @type {string} */ text) =>
      element("button", { type: "button", "aria-pressed": String(shown.view === name), "data-control": name, onclick: () => this.set({ view: name }) }, text);
    const kinds = this.kinds;
    return element(
      "div",
      { class: "controls" },
      named(choice(years.map((y) => [String(y), full.has(y) ? String(y) : `${y} (no figures)`]), String(shown.year), "Year", (y) => this.set({ year: Number(y) })), "year"),
      kinds.length > 1 &&
        named(choice(kinds.map((k) => [k, all.kinds[k]]), shown.kind, "Groups", (kind) => this.set({ kind, group: undefined, year: undefined, from: undefined, to: undefined })), "kind"),
      this.metric.interval !== "none" && named(element("label", { class: "check" }, box, "Show intervals"), "interval"),
      element("div", { class: "segments", role: "group", "aria-label": "Form" }, view("chart", "Chart"), view("table", "Table")),
    );
  }

  /** @param {Shown} shown */
  sentences(shown) {
    const items = this.chosen.map(({ place, file }, index) => {
      const found = figure(this.all, file, place.level, this.name, shown.kind, shown.year, shown.group);
      if (!found) {
        const why = this.metric.tables[place.level]
          ? `${fullName(place)} has no figure for ${shown.year}: this metric is not published for ${place.level === "county" ? "counties" : "cities"} in that year.`
          : `${fullName(place)} has no figure. ${this.absence()}`;
        return element("li", { class: "blank" }, placeMark(index), element("span", {}, why));
      }
      const remark = areaRemark(found, place);
      return element(
        "li",
        { class: found.value === null ? "blank" : null, "data-place": place.id },
        placeMark(index),
        element(
          "span",
          {},
          element("span", { class: "sentence" }, sentence(this.metric, found, place)),
          " ",
          found.value !== null && badge(this.all, found.quality),
          found.value !== null && found.reason ? element("span", { class: "area" }, ` ${found.reason}`) : null,
          remark ? element("span", { class: "area" }, ` ${remark}`) : null,
        ),
      );
    });
    return element("ul", { class: "sentences" }, ...items);
  }

  /** @param {Shown} shown @param {Row[]} rows */
  charts(shown, rows) {
    const years = this.rowsOfGroup(shown.kind, shown.group);
    const there = rows.some((row) => row.figure.value !== null);
    const grouped = this.groupsOf(shown.kind).length > 1;
    const inner = Math.max(260, (this.node.clientWidth || 800) - 52);
    const half = inner > 680 && !grouped ? Math.floor((inner - 32) / 2) : inner;
    const first = element("figure", {}, element("figcaption", {}, `${shown.year}${grouped ? `, by ${this.all.kinds[shown.kind].toLowerCase()}` : ""}`));
    if (there) first.append(dotChart(this.metric, rows, { width: half, interval: shown.interval }));
    else first.append(element("p", { class: "nothing" }, `No figures for ${shown.year}. ${rows[0]?.figure.reason ?? ""}`));
    const second = element("figure", {}, element("figcaption", {}, "Over the years", grouped ? `, ${shown.group === EVERYONE ? "everyone" : shown.group}` : ""));
    if (grouped) {
      const groups = this.groupsOf(shown.kind);
      const field = choice(groups.map((g) => [g, g === EVERYONE ? "Everyone" : g]), shown.group, "Group over the years", (group) => this.set({ group, from: undefined, to: undefined }));
      /** @type {HTMLElement} */ (field.querySelector("select")).dataset.control = "group";
      second.classList.add("with-choice");
      second.append(field);
    }
    const several = new Set(years.filter((row) => row.figure.value !== null).map((row) => row.figure.year)).size;
    if (several > 0) second.append(yearChart(this.metric, years, this.metric.breaks, { width: half, interval: shown.interval, year: shown.year }));
    else second.append(element("p", { class: "nothing" }, `No figures in any year. ${years[0]?.figure.reason ?? ""}`));
    const signs = several ? marked(this.metric.breaks, years) : [];
    return element(
      "div",
      {},
      element("div", { class: half === inner ? "charts stacked" : "charts" }, first, second),
      this.key(shown, grouped),
      element(
        "ul",
        { class: "notes" },
        ...signs.map((one) => element("li", {}, element("b", {}, `${one.letter} `), signText(one))),
        this.twoSamples(shown) ? element("li", {}, "The figure for everyone shown beside groups comes from another sample than the one shown without groups: the two may differ.") : null,
        this.metric.pair ? element("li", {}, "Over the years: share of home value divided by share of households; 1.0 means that home wealth is spread as the households are.") : null,
      ),
    );
  }

  /** Whether figures by group come from another sample than the overall figure. @param {Shown} shown */
  twoSamples({ kind }) {
    const first = (/** @type {string} */ k) => this.able.map(({ place }) => table(this.all, this.name, place.level, k)?.samples.at(-1)).find(Boolean);
    return kind !== "all" && first("all") !== undefined && first("all") !== first(kind);
  }

  /** @param {Shown} shown @param {boolean} grouped */
  key(shown, grouped) {
    const form = (/** @type {number} */ quality, /** @type {string} */ text) => element("span", {}, qualityMark(quality), text);
    return element(
      "p",
      { class: "key" },
      ...(grouped ? this.chosen.map(({ place }, i) => element("span", {}, placeMark(i), shortName(place))) : []),
      form(1, "Strong: filled"),
      form(2, "Marginal: tinted"),
      form(3, "Weak: grey, hollow"),
      this.metric.pair ? element("span", {}, "Symbol: share of home value; upright line: share of households") : null,
      shown.interval && this.metric.interval === "sampling" ? element("span", {}, "Line through a symbol: 95 percent interval") : null,
      shown.interval && this.metric.interval === "suppression" ? element("span", {}, "Line through a symbol: range left open by suppression") : null,
    );
  }

  /** @param {Row[]} rows */
  table(rows) {
    const head = ["Location", "Year", "Group", "Value", "Interval", "Quality"];
    const body = rows.map(({ place, figure: found }) =>
      element(
        "tr",
        { class: found.quality === 3 ? "weak" : null },
        element("th", { scope: "row" }, shortName(place)),
        element("td", {}, String(found.year)),
        element("td", {}, found.group === EVERYONE ? "Everyone" : found.group),
        element("td", { class: "number" }, valueText(this.metric, found)),
        element("td", { class: "number" }, intervalText(this.metric, found) || "–"),
        element("td", {}, found.value === null ? found.reason : badge(this.all, found.quality), found.value !== null && areaRemark(found, place) ? element("small", { class: "area" }, ` ${areaRemark(found, place)}`) : null),
      ),
    );
    return element(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${this.metric.title}` },
      element("table", {}, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col", class: text === "Value" || text === "Interval" ? "number" : null }, text)))), element("tbody", {}, ...body)),
    );
  }

  /** @param {Shown} shown */
  change(shown) {
    const years = this.yearsOf(shown.kind);
    if (years.length < 2) return element("p", { class: "notes" }, "There is one year only, so there is no change to judge.");
    const pick = (/** @type {"from" | "to"} */ end, /** @type {string} */ label) => {
      const field = choice(years.map((y) => [String(y), String(y)]), String(shown[end]), label, (y) => this.set({ [end]: Number(y) }));
      /** @type {HTMLElement} */ (field.querySelector("select")).dataset.control = end;
      return field;
    };
    const [from, to] = [Math.min(shown.from, shown.to), Math.max(shown.from, shown.to)];
    const items = this.able.map(({ place, file }) => {
      const index = this.chosen.findIndex((one) => one.place === place);
      const [a, b] = [from, to].map((year) => figure(this.all, file, place.level, this.name, shown.kind, year, shown.group));
      return element("li", { class: "verdict", "data-place": place.id }, placeMark(index), this.verdictText(place, a, b, from, to));
    });
    return element(
      "section",
      { class: "change", "aria-label": `Is the change real? ${this.metric.title}` },
      element("header", {}, element("h4", {}, "Is the change real?"), pick("from", "From"), pick("to", "To")),
      from === to
        ? element("p", { class: "nothing" }, "Choose two different years.")
        : element("ul", { class: "verdicts" }, ...items),
    );
  }

  /**
   * @param {Place} place
   * @param {Figure | undefined} a
   * @param {Figure | undefined} b
   * @param {number} from
   * @param {number} to
   */
  verdictText(place, a, b, from, to) {
    if (!a || !b) return element("span", {}, `${shortName(place)}: not published for ${!a ? from : to}.`);
    const told = verdict(a, b, this.metric, this.metric.breaks, place);
    const moved = a.value !== null && b.value !== null ? `${valueText(this.metric, a)} in ${from}, ${valueText(this.metric, b)} in ${to}` : "";
    const by = told.difference !== null && !this.metric.pair ? ` (${differenceText(this.metric, told.difference)})` : "";
    const limit = told.limit !== null && told.kind !== "missing" ? ` Limit: ${sizeText(this.metric, told.limit)} either way.` : "";
    const group = b.group === EVERYONE ? "" : `, ${b.group}`;
    return element(
      "span",
      {},
      element("b", {}, `${shortName(place)}${group}: `),
      moved + by,
      " ",
      element("b", { class: `word ${told.kind}` }, VERDICT_WORDS[told.kind]),
      element("small", {}, [told.why + limit, ...told.notes].join(" ")),
    );
  }

  /** @param {Shown} shown @param {boolean} open */
  sources(shown, open) {
    const { predictor, all } = this;
    const rows = this.rowsOfYear(shown);
    const found = rows.find((row) => row.figure.value !== null) ?? rows[0];
    const records = rows.filter((row) => row.figure.group === shown.group && row.figure.records !== null);
    const entries = [
      ["Definition", [predictor.definition]],
      ["Reference period", [found ? periodText(found.figure) : String(shown.year)]],
      ["Sample", [found ? (all.samples[found.figure.sample] ?? found.figure.sample) : ""]],
      ["Behind the figures", records.map(({ place, figure: f }) => `${shortName(place)}: ${d3.format(",")(f.records)} records of the source`)],
      ["Sources", predictor.sources.map((source) => [source.citation || source.title, source.licence && `Terms: ${source.licence}`].filter(Boolean).join(" "))],
      ["Notes", predictor.notes],
      ["Comparability", this.metric.breaks.map((one) => `${one.kind === "note" ? [...new Set([one.last, one.year])].join(" to ") : `${one.last} and before, ${one.year} and after`}: ${one.text}`)],
      ["Column", [`${this.name} (in the release's files), ${this.metric.unit}`]],
    ];
    return element(
      "details",
      { open },
      element("summary", {}, "Definition, sources and notes"),
      element(
        "dl",
        {},
        ...entries.flatMap(([term, texts]) =>
          texts.length ? [element("dt", {}, /** @type {string} */ (term)), element("dd", {}, .../** @type {string[]} */ (texts).map((text) => element("p", {}, text)))] : [],
        ),
      ),
    );
  }

  /** All figures of the chosen family of groups: what the CSV holds. @param {Shown} shown */
  allRows(shown) {
    return this.groupsOf(shown.kind).flatMap((group) => this.rowsOfGroup(shown.kind, group));
  }

  /** The card as one picture. @param {Shown} shown */
  picture(shown) {
    const rows = this.rowsOfYear(shown);
    const grouped = this.groupsOf(shown.kind).length > 1;
    const charts = [];
    if (rows.some((row) => row.figure.value !== null)) charts.push({ caption: String(shown.year), svg: dotChart(this.metric, rows, { width: 640, interval: shown.interval }) });
    const years = this.rowsOfGroup(shown.kind, shown.group);
    if (years.some((row) => row.figure.value !== null)) {
      charts.push({ caption: `Over the years${grouped ? `, ${shown.group === EVERYONE ? "everyone" : shown.group}` : ""}`, svg: yearChart(this.metric, years, this.metric.breaks, { width: 640, interval: shown.interval, year: shown.year }) });
    }
    return compose(this.all, this.metric, {
      subtitle: `${this.predictor.title}${grouped ? `, by ${this.all.kinds[shown.kind].toLowerCase()}` : ""}`,
      places: this.chosen.map(({ place }) => place),
      charts,
      notes: marked(this.metric.breaks, years).map((one) => `${one.letter} ${signText(one)}`),
      source: this.predictor.sources.map((source) => source.title).join("; ") || "see the release's dictionary",
    });
  }

  /** @param {Shown} shown */
  actions(shown) {
    const file = `${this.name}_${this.chosen.map(({ place }) => place.id).join("-")}`;
    const said = element("span", { role: "status" });
    const button = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => unknown} */ act) =>
      element("button", { type: "button", class: "link", "data-control": name, onclick: act }, text);
    return element(
      "div",
      { class: "actions" },
      button("csv", "Download CSV", () => save(new Blob([csv(this.all, this.name, this.allRows(shown))], { type: "text/csv" }), `${file}.csv`)),
      button("png", "Picture (PNG)", async () => save(await pngBlob(this.picture(shown)), `${file}.png`)),
      button("svg", "Picture (SVG)", () => save(svgBlob(this.picture(shown)), `${file}.svg`)),
      button("link", "Copy link to this view", async () => {
        const link = this.page.link(this.name);
        said.textContent = (await copy(link)) ? "Link copied." : link;
      }),
      said,
    );
  }

  /** Quality of all places at a glance, for the summary of a screen reader. @param {Shown} shown */
  qualities(shown) {
    return this.rowsOfYear(shown).map((row) => qualityWord(this.all, row.figure.quality)).join(", ");
  }
}
