/** Shapes of the data files; made by outputs/explorer (Python). */
export type Level = "county" | "place";

export interface Place {
  id: string;
  level: Level;
  /** Name as published, for example "Winston-Salem city". */
  published: string;
  /** Name as people say it. */
  name: string;
  state: string;
  stateName: string;
  postal: string;
  region: string;
  population: number | null;
  first: number;
  last: number;
}

export interface Table {
  years: number[];
  samples: string[];
  periods: (string | null)[];
  groups: string[];
}

/** Figures of `year` and after do not compare with those of `last` and before; a note is about the years `last` to `year`. */
export interface Break {
  last: number;
  year: number;
  kind: "definition" | "source" | "geography" | "index" | "sampling areas" | "note";
  text: string;
  level?: Level;
  sample?: string;
  states?: string[];
  /** Families of groups. */
  groups?: string[];
}

export interface Metric {
  title: string;
  unit: string;
  minimum: number | null;
  maximum: number | null;
  interval: "none" | "sampling" | "suppression";
  pair: boolean;
  percentile: boolean;
  sentence: string;
  predictor: string;
  breaks: Break[];
  tables: Partial<Record<Level, Record<string, Table>>>;
}

export interface Source {
  title: string;
  citation: string;
  licence: string;
  url: string;
}

export interface Predictor {
  key: string;
  title: string;
  pillar: string;
  definition: string;
  notes: string[];
  sources: Source[];
  metrics: string[];
}

export interface Catalog {
  release: string;
  synthetic: boolean;
  notice: string | null;
  states: string[] | null;
  /** Whether there are shapes of Connecticut's planning regions. */
  regions: boolean;
  pillars: Record<string, string>;
  predictors: Predictor[];
  metrics: Record<string, Metric>;
  kinds: Record<string, string>;
  samples: Record<string, string>;
  reasons: string[];
  quality: Record<string, [string, string]>;
  rules: { peers: string; medians: string };
}

/** Arrays over the positions of a table: years outside, groups inside. */
export interface Parts {
  v?: (number | null)[];
  l?: (number | null)[];
  u?: (number | null)[];
  q?: string;
  r?: number | number[];
  a?: number[];
  n?: (number | null)[];
  x?: (number | null)[];
  y?: (number | null)[];
}

export interface PlaceFile {
  id: string;
  peers: string[];
  figures: Record<string, Record<string, Parts>>;
}

export type MetricFile = Parts & { i: number[] };

export interface Figure {
  value: number | null;
  lb: number | null;
  ub: number | null;
  /** 1 strong, 2 marginal, 3 weak, 0 none */
  quality: number;
  /** Why the figure is missing or marked down; empty if neither. */
  reason: string;
  /** How many areas share the figure; 0 if not known. */
  areas: number;
  records: number | null;
  numerator: number | null;
  denominator: number | null;
  year: number;
  sample: string;
  period: string | null;
  kind: string;
  group: string;
}
