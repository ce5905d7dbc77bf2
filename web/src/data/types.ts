/** What the server, or an exported folder, tells: see explore/server.py. */

export interface LayerInfo {
  id: string;
  kind: "points" | "map" | "image" | "features" | "stations" | "relief";
  title: string;
  bounds: [number, number, number, number];
  version: number;
  level?: string;
  component?: string;
  track?: number | null;
  orbit?: string | null;
  points?: number;
  first?: string;
  last?: string;
  fields?: Record<string, [number, number]>;
  components?: string[];
  unit?: string;
  count?: number;
  frame?: string;
  max_zoom?: number;
  lowest?: number | null; // height that others are told above, m
  parts?: string[];
}

export interface FieldInfo {
  unit: string;
  palette: string;
  centred: boolean;
  label: Record<string, string>;
}

export interface Catalog {
  title: string;
  version: string;
  static: boolean;
  basemap: string | null;
  credit: string | null;
  layers: LayerInfo[];
  fields: Record<string, FieldInfo>;
  palettes: Record<string, string[]>;
  dark: Record<string, string[]>; // the same scales for points on a dark ground
  limits: { vertices: number; rows: number; chunk?: number };
}

export interface Fit {
  coefficients: number[];
  rmse: number;
}

export interface PointRecord {
  part: string;
  row: number;
  longitude: number;
  latitude: number;
  level: string;
  component: string;
  track: number | null;
  attributes: Record<string, number | string | null>;
  dates: string[];
  displacement: (number | null)[];
  fit: Fit | null;
}

export interface AreaRecord {
  points: number;
  finite: number;
  mean: number | null;
  std: number | null;
  minimum: number | null;
  maximum: number | null;
  percentiles: Record<string, number | null>;
  unit: string;
  histogram: { counts: number[]; edges: number[] };
  series: { dates: string[]; mean: (number | null)[]; points: number } | null;
}

export interface ProfileRecord {
  length: number;
  points?: number;
  distance: number[];
  value?: (number | null)[];
  sigma?: (number | null)[]; // of `value`
  values?: Record<string, (number | null)[]>;
  unit: string;
}

/** Displacement of the points of a tile, month by month. */
export interface Film {
  first: number; // month
  quantum: number; // mm
  mean: Int16Array; // months after each other, all points of a month together
  counts: Uint8Array; // measurements in each
  noise: Float32Array; // mm, of one measurement
  shown: string; // the span whose values the tile has now
}

export interface TileData {
  kind: "points" | "cells";
  id: string; // zoom, column and row
  z: number;
  x: number;
  y: number;
  side: number; // cells along a tile
  length: number;
  x16: Uint16Array; // places in the tile, 65,536 a side
  y16: Uint16Array;
  places: Float64Array; // longitude, latitude
  value: Float32Array; // with a film, of the months that are shown
  by: Float32Array; // what is filtered by
  height: Float32Array | null; // m, where it was asked for
  count: Uint32Array | null;
  row: Uint32Array | null;
  part: Uint16Array | null;
  parts: string[];
  film: Film | null;
  pale: boolean; // cells that have no film, where one was asked for
}

export type Question = { field: string; by: string; least: number; largest: number };
