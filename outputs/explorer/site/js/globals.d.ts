// The libraries come as plain scripts; they are used through these names.
declare const d3: any;
declare const Plot: any;
declare const topojson: any;
