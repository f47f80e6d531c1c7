// Reading of the data files, and the figures in them.
/** @import {Catalog, Figure, Level, Metric, MetricFile, Parts, Place, PlaceFile, Table} from "./types.d.ts" */

const NOT_THERE = -2;
const ABSENT = "This area did not exist in that year, or the release has no row for it.";

/** @type {Map<string, Promise<any>>} */
const asked = new Map();

/**
 * @param {string} path below data/
 * @returns {Promise<any>}
 */
function read(path) {
  let answer = asked.get(path);
  if (!answer) {
    answer = fetch(`data/${path}`).then((response) => {
      if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
      return response.json();
    });
    answer.catch(() => asked.delete(path));
    asked.set(path, answer);
  }
  return answer;
}

/** @returns {Promise<Catalog>} */
export const catalog = () => read("catalog.json");

/** @param {string} id @returns {Promise<PlaceFile>} */
export const placeFile = (id) => read(`place/${id}.json`);

/** @param {string} metric @param {Level} level @param {number} year @returns {Promise<MetricFile>} */
export const metricFile = (metric, level, year) => read(`metric/${metric}/${level}-${year}.json`);

/**
 * Medians of the nation ("US") or of a state (its code): metric, level, year.
 * @param {string} scope
 * @returns {Promise<Record<string, Record<string, Record<string, number | null>>>>}
 */
export const medians = (scope) => read(`medians/${scope}.json`);

/** Shapes of Connecticut's planning regions, as GeoJSON in degrees. @returns {Promise<any>} */
export const regions = () => read("regions.json");

/** "Winston-Salem city" as people say it. @param {string} name */
const spoken = (name) => name.replace(/ (city|town|village|municipality|CDP)$/, "");

/** @type {Promise<Place[]> | null} */
let listed = null;

/** All places: counties, then cities, each in the order of their codes. @returns {Promise<Place[]>} */
export function places() {
  listed ??= read("places.json").then((raw) =>
    /** @type {Level[]} */ (["county", "place"]).flatMap((level) =>
      raw[level].id.map((/** @type {string} */ id, /** @type {number} */ i) => {
        const state = id.slice(0, 2);
        const [stateName, postal, region] = raw.states[state] ?? ["", "", ""];
        const published = raw[level].name[i] ?? id;
        return {
          id,
          level,
          published,
          name: level === "place" ? spoken(published) : published,
          state,
          stateName,
          postal,
          region,
          population: raw[level].population[i],
          first: raw[level].first[i],
          last: raw[level].last[i],
        };
      }),
    ),
  );
  return listed;
}

/** @returns {Promise<Map<string, Place>>} */
export async function placesById() {
  return new Map((await places()).map((place) => [place.id, place]));
}

/**
 * @param {Catalog} all
 * @param {string} metric
 * @param {Level} level
 * @param {string} kind
 * @returns {Table | undefined}
 */
export function table(all, metric, level, kind) {
  return all.metrics[metric]?.tables[level]?.[kind];
}

/**
 * The figure at a position of an array of figures.
 * @param {Catalog} all
 * @param {Parts | undefined} parts
 * @param {number} at
 * @param {{year: number, sample: string, period: string | null, kind: string, group: string}} key
 * @returns {Figure}
 */
export function figureAt(all, parts, at, key) {
  const code = parts === undefined ? NOT_THERE : typeof parts.r === "number" ? parts.r : (parts.r?.[at] ?? -1);
  const quality = Number(parts?.q?.[at] ?? 0) || 0;
  return {
    value: parts?.v?.[at] ?? null,
    lb: parts?.l?.[at] ?? null,
    ub: parts?.u?.[at] ?? null,
    quality,
    reason: code === NOT_THERE ? ABSENT : (all.reasons[code] ?? ""),
    areas: parts?.a?.[at] ?? 0,
    records: parts?.n?.[at] ?? null,
    numerator: parts?.x?.[at] ?? null,
    denominator: parts?.y?.[at] ?? null,
    ...key,
  };
}

/**
 * A figure of a place; undefined if its level does not have that metric, family of groups, year or group.
 * @param {Catalog} all
 * @param {PlaceFile} file
 * @param {Level} level
 * @param {string} metric
 * @param {string} kind
 * @param {number} year
 * @param {string} group
 * @returns {Figure | undefined}
 */
export function figure(all, file, level, metric, kind, year, group) {
  const shape = table(all, metric, level, kind);
  const y = shape?.years.indexOf(year) ?? -1;
  const g = shape?.groups.indexOf(group) ?? -1;
  if (!shape || y < 0 || g < 0) return undefined;
  const key = { year, sample: shape.samples[y], period: shape.periods[y], kind, group };
  return figureAt(all, file.figures[metric]?.[kind], y * shape.groups.length + g, key);
}

/**
 * All years of a figure of a place, oldest first.
 * @param {Catalog} all
 * @param {PlaceFile} file
 * @param {Level} level
 * @param {string} metric
 * @param {string} kind
 * @param {string} group
 * @returns {Figure[]}
 */
export function series(all, file, level, metric, kind, group) {
  const shape = table(all, metric, level, kind);
  if (!shape) return [];
  return shape.years.flatMap((year) => figure(all, file, level, metric, kind, year, group) ?? []);
}
