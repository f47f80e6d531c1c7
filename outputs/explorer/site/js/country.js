// One metric and year everywhere: on a map, and ranked.
/** @import {Catalog, Figure, Level, Metric, Place} from "./types.d.ts" */
import { catalog, figureAt, medians, metricFile, places, regions, table } from "./data.js";
import { WEAK, badge, byId, choice, element, fail, picture, profileLink } from "./page.js";
import { searchField } from "./search.js";
import { areaRemark, fullName, intervalText, number, shortName, valueText } from "./words.js";

const SHAPES = "vendor/us-atlas/counties-albers-10m.json";
const POINTS = "vendor/geonames/city_points.csv";
const CLASSES = ["#d7ebe8", "#9fcfd0", "#5aa9b8", "#2a7d9b", "#0c4a6e"];
const WEAK_FILL = "#d4d8db";
const BLANK_FILL = "#ffffff";
const PER_PAGE = 25;
/** The first year without Connecticut's former counties, and the first with the two areas that Valdez-Cordova became. */
const PLANNING_REGIONS = 2022;
const CONNECTICUT = "09";
const FIRST_REGION = "09110";

/** @typedef {{place: Place, figure: Figure}} Row */

/** @type {Promise<any> | null} */ let shapes = null;
/** @type {Promise<Map<string, [number, number]>> | null} */ let points = null;

/** The projection that the county shapes were drawn in. */
const projected = () => d3.geoAlbersUsa().scale(1300).translate([487.5, 305]);

/** Connecticut's planning regions as flat shapes like those of the counties. @returns {Promise<any[]>} */
async function readRegions() {
  return (await regions()).features.map(flat);
}

/** A feature in degrees as a feature on the map. @param {any} feature */
function flat(feature) {
  const project = projected();
  const ring = (/** @type {[number, number][]} */ points) => points.map((point) => project(point));
  const coordinates = feature.geometry.coordinates.map((/** @type {any[]} */ polygon) => polygon.map(ring));
  return { ...feature, geometry: { type: "MultiPolygon", coordinates } };
}

const readShapes = () => (shapes ??= d3.json(SHAPES));

/** Cities' places on the map: longitude and latitude in the projection the shapes were drawn in. */
function readPoints() {
  points ??= d3.csv(POINTS).then((/** @type {any[]} */ rows) => {
    const projection = projected();
    return new Map(rows.map((row) => [row.geoid, projection([+row.longitude, +row.latitude])]));
  });
  return /** @type {Promise<Map<string, [number, number]>>} */ (points);
}

class CountryPage {
  /** @param {Catalog} all @param {Place[]} listed */
  constructor(all, listed) {
    this.all = all;
    this.listed = { county: listed.filter((p) => p.level === "county"), place: listed.filter((p) => p.level === "place") };
    const asked = new URLSearchParams(location.hash.slice(1));
    const first = all.predictors.find((p) => p.metrics.length)?.metrics[0] ?? "";
    this.metric = all.metrics[asked.get("metric") ?? ""] ? String(asked.get("metric")) : first;
    this.level = /** @type {Level} */ (asked.get("level") === "place" ? "place" : "county");
    this.year = Number(asked.get("year")) || 0;
    this.state = asked.get("state") ?? "";
    this.weak = asked.get("weak") === "1";
    this.order = asked.get("order") === "low" ? "low" : "high";
    this.mark = asked.get("place") ?? "";
    this.page = 0;
    /** @type {Row[]} */ this.rows = [];
    /** @type {number | null} */ this.median = null;
  }

  /** Levels, and years with a table, that the metric has; settings that it lacks are replaced. */
  settle() {
    const tables = this.all.metrics[this.metric].tables;
    if (!tables[this.level]?.all) this.level = tables.county?.all ? "county" : "place";
    const years = table(this.all, this.metric, this.level, "all")?.years ?? [];
    if (!years.includes(this.year)) this.year = years[years.length - 1];
    return years;
  }

  remember() {
    const text = new URLSearchParams({ metric: this.metric, level: this.level, year: String(this.year) });
    if (this.state) text.set("state", this.state);
    if (this.weak) text.set("weak", "1");
    if (this.order === "low") text.set("order", "low");
    if (this.mark) text.set("place", this.mark);
    history.replaceState(null, "", `#${text}`);
  }

  /** @param {Partial<Pick<CountryPage, "metric" | "level" | "year" | "state" | "weak" | "order" | "mark">>} change */
  set(change) {
    Object.assign(this, change);
    this.page = 0;
    return this.show();
  }

  async show() {
    const years = this.settle();
    this.remember();
    this.controls(years);
    const { all, metric, level, year } = this;
    const file = await metricFile(metric, level, year);
    if (metric !== this.metric || level !== this.level || year !== this.year) return;
    const shape = /** @type {import("./types.d.ts").Table} */ (table(all, metric, level, "all"));
    const y = shape.years.indexOf(year);
    const key = { year, sample: shape.samples[y], period: shape.periods[y], kind: "all", group: "All" };
    this.rows = file.i.map((index, at) => ({ place: this.listed[level][index], figure: figureAt(all, file, at, key) }));
    await this.map();
    await this.ranking();
    document.body.dataset.ready = `${metric} ${level} ${year}`;
  }

  /** @param {number[]} years */
  controls(years) {
    const { all } = this;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.control : undefined;
    const select = /** @type {HTMLSelectElement} */ (element("select", { id: "metric", "data-control": "metric", onchange: () => this.set({ metric: select.value }) }));
    for (const predictor of all.predictors) {
      const group = element("optgroup", { label: predictor.title });
      for (const name of predictor.metrics) group.append(element("option", { value: name, selected: name === this.metric }, all.metrics[name].title));
      select.append(group);
    }
    const named = (/** @type {HTMLElement} */ field, /** @type {string} */ name) => {
      /** @type {HTMLElement} */ (field.querySelector("select, input")).dataset.control = name;
      return field;
    };
    const tables = all.metrics[this.metric].tables;
    /** @type {[string, string][]} */
    const levels = [];
    if (tables.county?.all) levels.push(["county", "Counties"]);
    if (tables.place?.all) levels.push(["place", "Cities"]);
    const states = new Map([...this.listed.county, ...this.listed.place].map((p) => [p.state, p.stateName]));
    const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", checked: this.weak, onchange: () => this.set({ weak: box.checked }) }));
    byId("controls").replaceChildren(
      element("div", { class: "field" }, element("label", { for: "metric" }, "Metric"), select),
      named(choice(levels, this.level, "Places", (level) => this.set({ level: /** @type {Level} */ (level) })), "level"),
      named(choice(years.map((y) => /** @type {[string, string]} */ ([String(y), String(y)])).reverse(), String(this.year), "Year", (year) => this.set({ year: Number(year) })), "year"),
      named(choice([["", "All states"], ...[...states].sort((a, b) => d3.ascending(a[1], b[1]))], this.state, "State", (state) => this.set({ state })), "state"),
      named(element("label", { class: "check" }, box, "Count weak figures in"), "weak"),
    );
    if (focused) /** @type {HTMLElement | null} */ (byId("controls").querySelector(`[data-control="${focused}"]`))?.focus();
    const predictor = all.predictors.find((p) => p.key === all.metrics[this.metric].predictor);
    byId("definition").textContent = predictor?.definition ?? "";
  }

  get shown() {
    return this.state ? this.rows.filter((row) => row.place.state === this.state) : this.rows;
  }

  /** Rows that count: with a figure, and not Weak unless asked for. */
  get counted() {
    return this.shown.filter((row) => row.figure.value !== null && (this.weak || row.figure.quality < 3));
  }

  async map() {
    const { all, level, year } = this;
    const metric = all.metrics[this.metric];
    const topology = await readShapes();
    const figures = new Map(this.shown.map((row) => [row.place.id, row]));
    const values = this.counted.map((row) => /** @type {number} */ (row.figure.value));
    const scale = values.length > 4 ? d3.scaleQuantile(values, CLASSES) : null;
    const fill = (/** @type {Row | undefined} */ row) => {
      if (!row || row.figure.value === null) return BLANK_FILL;
      if (!this.weak && row.figure.quality === 3) return WEAK_FILL;
      return scale ? scale(row.figure.value) : CLASSES[2];
    };
    const width = 975;
    let counties = topojson.feature(topology, topology.objects.counties).features;
    if (all.regions && year >= PLANNING_REGIONS && this.rows.some((row) => row.place.id === FIRST_REGION)) {
      counties = [...counties.filter((/** @type {any} */ f) => !f.id.startsWith(CONNECTICUT)), ...(await readRegions())];
    }
    const here = this.state ? counties.filter((/** @type {any} */ f) => f.id.startsWith(this.state)) : counties;
    const path = d3.geoPath();
    const states = topojson.mesh(topology, topology.objects.states, (/** @type {any} */ a, /** @type {any} */ b) => a !== b);
    const svg = d3.create("svg").attr("viewBox", this.view(here, path)).attr("width", width).attr("role", "img").attr("aria-label", this.summary(metric));
    const blankPattern = svg.append("defs").append("pattern").attr("id", "blank").attr("width", 5).attr("height", 5).attr("patternUnits", "userSpaceOnUse").attr("patternTransform", "rotate(45)");
    blankPattern.append("rect").attr("width", 5).attr("height", 5).attr("fill", "#fff");
    blankPattern.append("line").attr("y2", 5).attr("stroke", "#b9c0c5").attr("stroke-width", 1.2);
    const painted = (/** @type {string} */ color) => (color === BLANK_FILL ? "url(#blank)" : color);
    const tip = element("div", { class: "tip", hidden: true });
    const show = (/** @type {MouseEvent} */ event, /** @type {Row | undefined} */ row, /** @type {string} */ id) => {
      tip.replaceChildren(...this.tipContent(row, id));
      tip.hidden = false;
      const frame = byId("map").getBoundingClientRect();
      const x = event.clientX - frame.left;
      tip.style.left = `${Math.min(x + 14, frame.width - 240)}px`;
      tip.style.top = `${event.clientY - frame.top + 16}px`;
    };
    const bind = (/** @type {any} */ marks, /** @type {(d: any) => Row | undefined} */ rowOf, /** @type {(d: any) => string} */ idOf) =>
      marks
        .attr("data-id", idOf)
        .classed("found", (/** @type {any} */ d) => idOf(d) === this.mark)
        .on("pointermove", (/** @type {MouseEvent} */ event, /** @type {any} */ d) => show(event, rowOf(d), idOf(d)))
        .on("pointerleave", () => (tip.hidden = true))
        .on("click", (/** @type {MouseEvent} */ _, /** @type {any} */ d) => rowOf(d) && this.set({ mark: idOf(d) }));
    if (level === "county") {
      bind(
        svg.append("g").selectAll("path").data(here).join("path").attr("class", "area").attr("d", path).attr("fill", (/** @type {any} */ f) => painted(fill(figures.get(f.id)))),
        (f) => figures.get(f.id),
        (f) => f.id,
      );
      svg.append("path").attr("d", path(states)).attr("fill", "none").attr("stroke", "#fff").attr("stroke-width", 1).attr("pointer-events", "none");
    } else {
      svg.append("path").attr("d", path(topojson.feature(topology, topology.objects.nation))).attr("fill", "#eef1f0");
      svg.append("path").attr("d", path(states)).attr("fill", "none").attr("stroke", "#fff").attr("stroke-width", 1.2);
      const at = await readPoints();
      const cities = this.shown.filter((row) => at.get(row.place.id)).sort((a, b) => (b.place.population ?? 0) - (a.place.population ?? 0));
      const radius = d3.scaleSqrt([0, 4e6], [2.6, 16]).clamp(true);
      bind(
        svg
          .append("g")
          .selectAll("path")
          .data(cities)
          .join("path")
          .attr("class", "dot")
          .attr("transform", (/** @type {Row} */ r) => `translate(${at.get(r.place.id)})`)
          .attr("d", (/** @type {Row} */ r) => d3.symbol(d3.symbolCircle, Math.PI * radius(r.place.population ?? 75e3) ** 2)())
          .attr("fill", (/** @type {Row} */ r) => (fill(r) === BLANK_FILL ? "#fff" : fill(r)))
          .attr("stroke", (/** @type {Row} */ r) => (fill(r) === BLANK_FILL || fill(r) === WEAK_FILL ? "#7c878f" : "#08384f"))
          .attr("stroke-width", 0.7),
        (r) => r,
        (r) => r.place.id,
      );
    }
    const outline = svg.selectAll(".found");
    if (level === "county") outline.raise();
    byId("map").replaceChildren(element("div", { class: "map-head" }, this.finder(), this.legend(metric, scale)), svg.node(), tip);
    this.notes(counties, figures, year);
  }

  /** What part of the drawing is seen: the nation, or one state with some room. @param {any[]} features @param {any} path */
  view(features, path) {
    if (!this.state || !features.length) return "0 0 975 610";
    const [[x0, y0], [x1, y1]] = path.bounds({ type: "FeatureCollection", features });
    const room = Math.max(x1 - x0, y1 - y0) * 0.06;
    const wide = Math.max(x1 - x0 + 2 * room, (y1 - y0 + 2 * room) * 1.6);
    const tall = wide / 1.6;
    return `${(x0 + x1) / 2 - wide / 2} ${(y0 + y1) / 2 - tall / 2} ${wide} ${tall}`;
  }

  /** @param {Metric} metric */
  summary(metric) {
    const values = this.counted.map((row) => row.figure.value);
    const range = values.length ? ` Values from ${number(metric, d3.min(values))} to ${number(metric, d3.max(values))}.` : "";
    return `Map of ${metric.title}, ${this.year}, ${this.counted.length} ${this.level === "county" ? "counties" : "cities"}.${range} The same figures stand in the ranking below.`;
  }

  /** @param {Metric} metric @param {any} scale */
  legend(metric, scale) {
    const swatch = (/** @type {string} */ style, /** @type {string} */ text) => element("span", {}, element("span", { class: "swatch", style }), text);
    const classes = scale
      ? CLASSES.map((color) => {
          const [low] = scale.invertExtent(color);
          return element("span", {}, element("i", { style: `background:${color}` }), number(metric, low));
        })
      : [];
    const top = scale ? `to ${number(metric, d3.max(this.counted, (/** @type {Row} */ r) => r.figure.value))}` : "";
    return element(
      "div",
      { class: "legend" },
      scale && element("span", {}, element("span", { class: "classes" }, ...classes), top),
      swatch(`background:${WEAK_FILL}`, this.weak ? "" : "Weak figure"),
      swatch("background:repeating-linear-gradient(135deg,#fff 0 3px,#b9c0c5 3px 4px);outline:1px solid #b9c0c5", "No figure"),
    );
  }

  finder() {
    const search = searchField(this.listed[this.level].filter((p) => !this.state || p.state === this.state), (place) => this.set({ mark: place.id }), { label: `Find a ${this.level === "county" ? "county" : "city"}`, clear: true });
    const row = this.rows.find((one) => one.place.id === this.mark);
    const said = element("p", { class: "trust", role: "status" });
    if (row) said.append(...this.tipContent(row, row.place.id, true));
    return element("div", {}, search.node, said);
  }

  /** @param {Row | undefined} row @param {string} id @param {boolean} [linked] @returns {(Node | string)[]} */
  tipContent(row, id, linked = false) {
    if (!row) return [`No figure for this area (${id}) in ${this.year}: its borders are of another year.`];
    const { place, figure } = row;
    const metric = this.all.metrics[this.metric];
    const name = linked ? element("a", { href: profileLink(place) }, fullName(place)) : element("b", {}, fullName(place));
    if (figure.value === null) return [name, element("br"), `No figure for ${figure.year}. ${figure.reason}`];
    const interval = intervalText(metric, figure);
    const remark = areaRemark(figure, place);
    return [name, element("br"), `${valueText(metric, figure)}${interval ? ` (${interval})` : ""} `, badge(this.all, figure.quality), remark ? ` ${remark}` : ""];
  }

  /** Says what the map cannot show. @param {any[]} counties @param {Map<string, Row>} figures @param {number} year */
  notes(counties, figures, year) {
    const drawn = new Set(counties.map((f) => f.id));
    const missing = this.level === "county" ? [...figures.values()].filter((row) => !drawn.has(row.place.id)) : [];
    const regions = missing.filter((row) => row.place.state === CONNECTICUT).length;
    const others = missing.filter((row) => row.place.state !== CONNECTICUT);
    const lines = [];
    if (regions && year >= PLANNING_REGIONS) lines.push(`The map's shapes are of 2017: Connecticut's ${regions} planning regions, which replaced its counties in 2022, have none. Their figures stand in the ranking below.`);
    if (others.length) lines.push(`Not on the map, as their borders are newer than its shapes: ${others.map((row) => shortName(row.place)).join(", ")}.`);
    byId("map-notes").replaceChildren(element("ul", { class: "notes" }, ...lines.map((line) => element("li", {}, line))));
  }

  async ranking() {
    const { all } = this;
    const metric = all.metrics[this.metric];
    const sign = this.order === "high" ? -1 : 1;
    const value = (/** @type {Row} */ row) => /** @type {number} */ (row.figure.value);
    const rows = [...this.counted].sort((a, b) => sign * (value(a) - value(b)) || a.place.id.localeCompare(b.place.id));
    const weak = this.shown.filter((row) => row.figure.quality === 3).length;
    const blank = this.shown.filter((row) => row.figure.value === null).length;
    const words = this.level === "county" ? "counties" : "cities";
    const median = (await medians(this.state || "US").catch(() => null))?.[this.metric]?.[this.level]?.[String(this.year)] ?? null;
    this.median = median;
    const where = this.state ? (this.shown[0]?.place.stateName ?? "the state") : "the nation";
    byId("rank-note").textContent =
      `${d3.format(",")(rows.length)} of ${d3.format(",")(this.shown.length)} ${words} ranked. ` +
      (this.weak ? `${d3.format(",")(weak)} of them are Weak. ` : `${d3.format(",")(weak)} Weak figures are left out. `) +
      `${d3.format(",")(blank)} have no figure. ` +
      (median === null ? `The median of ${where} is hidden: too many people live where the figure is missing or Weak.` : `Median of ${where}, weighted by population: ${number(metric, median)}.`);
    const place = rows.findIndex((row) => row.place.id === this.mark);
    const pages = Math.max(1, Math.ceil(rows.length / PER_PAGE));
    if (place >= 0 && this.page === 0) this.page = Math.floor(place / PER_PAGE);
    this.rankPage(metric, rows, pages);
  }

  /** @param {Metric} metric @param {Row[]} rows @param {number} pages */
  rankPage(metric, rows, pages) {
    const { all } = this;
    const start = this.page * PER_PAGE;
    const scale = d3.scaleLinear(d3.extent(rows, (/** @type {Row} */ r) => r.figure.value), [8, 292]);
    const turn = (/** @type {number} */ by, /** @type {string} */ text) =>
      element("button", { type: "button", disabled: this.page + by < 0 || this.page + by >= pages, onclick: () => { this.page += by; this.rankPage(metric, rows, pages); } }, text);
    const order = choice([["high", "Highest first"], ["low", "Lowest first"]], this.order, "Order", (value) => this.set({ order: value }));
    const body = rows.slice(start, start + PER_PAGE).map((row, i) => {
      const { place, figure } = row;
      return element(
        "tr",
        { class: [figure.quality === 3 ? "weak" : "", place.id === this.mark ? "mark" : ""].join(" ").trim() || null, "data-id": place.id },
        element("td", { class: "number" }, String(start + i + 1)),
        element("th", { scope: "row" }, element("a", { href: profileLink(place) }, shortName(place))),
        element("td", { class: "number" }, valueText(metric, figure)),
        element("td", { class: "wide optional" }, this.strip(figure, scale)),
        element("td", { class: "number optional" }, intervalText(metric, figure)),
        element("td", {}, badge(all, figure.quality)),
      );
    });
    const head = ["Rank", "Place", "Value", "", "Interval", "Quality"].map((text) =>
      element("th", { scope: "col", class: [text === "Interval" || text === "" ? "optional" : "", text === "Value" || text === "Interval" || text === "Rank" ? "number" : ""].join(" ").trim() || null }, text || this.scaleHead(metric, scale)),
    );
    byId("rank").replaceChildren(
      element("div", { class: "controls" }, order),
      rows.length
        ? element("div", { class: "scroll" }, element("table", {}, element("caption", { class: "visually-hidden" }, `${metric.title}, ${this.year}, ranked`), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)))
        : element("p", { class: "nothing" }, this.blankText()),
      element("div", { class: "pager" }, turn(-1, "Previous"), `Page ${this.page + 1} of ${pages}`, turn(1, "Next")),
    );
  }

  /** A figure on the line from the lowest to the highest, with its interval and the median. @param {Figure} figure @param {any} scale */
  strip(figure, scale) {
    const x = (/** @type {number} */ value) => Math.min(298, Math.max(2, scale(value))).toFixed(1);
    const color = figure.quality === 3 ? WEAK : "#0b6aa8";
    const middle = this.median === null ? "" : `<line x1="${x(this.median)}" x2="${x(this.median)}" y1="0" y2="18" stroke="#b8481a" stroke-width="1.5"/>`;
    const span = figure.lb === null || figure.ub === null ? "" : `<line x1="${x(figure.lb)}" x2="${x(figure.ub)}" y1="9" y2="9" stroke="${color}" stroke-width="3" stroke-opacity="0.4"/>`;
    const dot = `<circle cx="${x(/** @type {number} */ (figure.value))}" cy="9" r="5" fill="${figure.quality === 1 ? color : figure.quality === 2 ? "#a5c7de" : "#fff"}" stroke="${color}" stroke-width="1.7"/>`;
    const svg = picture(300, `<line x1="2" x2="298" y1="9" y2="9" stroke="#e3e7e9"/>${middle}${span}${dot}`);
    svg.setAttribute("viewBox", "0 0 300 18");
    svg.setAttribute("height", "18");
    return svg;
  }

  /** Lowest and highest value above the strips. @param {Metric} metric @param {any} scale */
  scaleHead(metric, scale) {
    const [low, high] = scale.domain();
    const middle = this.median === null ? "" : element("span", { class: "middle" }, "red line: median");
    return element("span", { class: "ends" }, element("span", {}, number(metric, low ?? null)), middle, element("span", {}, number(metric, high ?? null)));
  }

  /** Why nothing can be ranked. */
  blankText() {
    const reasons = d3.rollups(this.shown.filter((row) => row.figure.value === null), (/** @type {Row[]} */ r) => r.length, (/** @type {Row} */ r) => r.figure.reason).sort((/** @type {any} */ a, /** @type {any} */ b) => b[1] - a[1]);
    const weak = this.shown.some((row) => row.figure.quality === 3);
    return weak ? "All figures here are Weak. Tick “Count weak figures in” to see them." : `No figures. ${reasons[0]?.[0] ?? ""}`;
  }
}

try {
  const [all, listed] = await Promise.all([catalog(), places()]);
  const page = new CountryPage(all, listed);
  window.addEventListener("hashchange", () => location.reload());
  await page.show();
} catch (error) {
  fail(error);
  throw error;
}
