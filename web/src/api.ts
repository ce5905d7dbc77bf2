/** What the server, or an exported folder, answers. */

import { Missing, SCHEME, exported, read } from "./files";

export interface LayerInfo {
  id: string;
  kind: "points" | "map" | "image" | "features" | "stations";
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
  values?: Record<string, (number | null)[]>;
  unit: string;
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
  value: Float32Array;
  velocity: Float32Array;
  count: Uint32Array | null;
  row: Uint32Array | null;
  part: Uint16Array | null;
  parts: string[];
}

export type Question = { field: string; least: number; largest: number };

let chunk = 256;

async function ask(path: string, options?: RequestInit): Promise<Response> {
  if (exported) return new Response(await read(path));
  const answer = await fetch(path, options);
  if (answer.ok) return answer;
  let detail = `${answer.status}`;
  try {
    const body = await answer.json();
    detail = typeof body.detail === "string" ? body.detail : detail;
  } catch {
    // no JSON: the status is all there is to say
  }
  throw new Error(detail);
}

const post = (path: string, body: unknown): Promise<Response> =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const at = (layer: LayerInfo): string => `api/layers/${encodeURIComponent(layer.id)}`;

export async function catalog(): Promise<Catalog> {
  const record: Catalog = await (await ask("api/catalog.json")).json();
  chunk = record.limits.chunk ?? chunk;
  return record;
}

export async function tile(layer: LayerInfo, z: number, x: number, y: number, field: string, signal: AbortSignal): Promise<TileData> {
  const query = exported ? "" : `?field=${field}&v=${layer.version}`;
  try {
    return decode(await read(`${at(layer)}/tiles/${z}/${x}/${y}.bin${query}`, signal), z, x, y);
  } catch (error) {
    if (error instanceof Missing) return decode(new ArrayBuffer(0), z, x, y);
    throw error;
  }
}

/** Address of the pictures of a layer. */
export function pictures(layer: LayerInfo, query: Record<string, string | number>): string {
  if (exported) return `${SCHEME}//${at(layer)}/tiles/${query.field ?? "image"}/{z}/{x}/{y}.png`;
  const text = new URLSearchParams(Object.entries({ ...query, v: layer.version }).map(([k, v]) => [k, String(v)]));
  return `${new URL(`${at(layer)}/tiles/`, document.baseURI).href}{z}/{x}/{y}.png?${text}`;
}

export async function features(layer: LayerInfo): Promise<GeoJSON.FeatureCollection> {
  return (await ask(`${at(layer)}/features.geojson`)).json();
}

export async function arrows(layer: LayerInfo): Promise<GeoJSON.FeatureCollection> {
  return (await ask(`${at(layer)}/arrows.geojson`)).json();
}

export async function point(layer: LayerInfo, part: string, row: number): Promise<PointRecord> {
  if (!exported) return (await ask(`${at(layer)}/point?part=${encodeURIComponent(part)}&row=${row}`)).json();
  const number = layer.parts!.indexOf(part);
  const block = await (await ask(`${at(layer)}/points/${number}-${Math.floor(row / chunk)}.json`)).json();
  return { ...block.points[row % chunk], dates: block.dates };
}

export async function nearest(layer: LayerInfo, longitude: number, latitude: number, radius: number): Promise<PointRecord> {
  const query = `longitude=${longitude}&latitude=${latitude}&radius=${Math.min(5000, Math.max(1, radius))}`;
  return (await ask(`${at(layer)}/nearest?${query}`)).json();
}

export async function value(layer: LayerInfo, longitude: number, latitude: number): Promise<Record<string, { value: number | null; unit: string }>> {
  return (await ask(`${at(layer)}/value?longitude=${longitude}&latitude=${latitude}`)).json();
}

export async function statistics(layer: LayerInfo, polygon: number[][], question: Question): Promise<AreaRecord> {
  return (await post(`${at(layer)}/statistics`, { polygon, ...question })).json();
}

export async function profile(layer: LayerInfo, line: number[][], width: number, question: Question): Promise<ProfileRecord> {
  return (await post(`${at(layer)}/profile`, { line, width, ...question })).json();
}

export async function selection(layer: LayerInfo, polygon: number[][], format: string, question: Question): Promise<Blob> {
  return (await post(`${at(layer)}/selection`, { polygon, format, ...question })).blob();
}

const kinds = { uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array } as const;

/** A tile as the server packs it: see PointLayer.tile in explore/points.py. */
export function decode(buffer: ArrayBuffer, z: number, x: number, y: number): TileData {
  const id = `${z}/${x}/${y}`;
  const none = new Uint16Array(0);
  const empty = { kind: "points", id, z, x, y, side: 0, length: 0, x16: none, y16: none, places: new Float64Array(0), count: null, row: null, part: null } as const;
  if (buffer.byteLength < 4) return { ...empty, parts: [], value: new Float32Array(0), velocity: new Float32Array(0) };
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  let offset = 4 + Math.ceil(size / 4) * 4;
  const arrays: Record<string, Uint16Array | Uint32Array | Float32Array> = {};
  for (const [name, kind] of header.arrays as [string, keyof typeof kinds][]) {
    const made = new kinds[kind](buffer, offset, header.count);
    arrays[name] = made;
    offset += Math.ceil(made.byteLength / 4) * 4;
  }
  const places = new Float64Array(2 * header.count);
  const world = 2 ** z;
  for (let i = 0; i < header.count; i++) {
    const u = (x + arrays.x[i] / 65536) / world;
    const v = (y + arrays.y[i] / 65536) / world;
    places[2 * i] = u * 360 - 180;
    places[2 * i + 1] = (Math.atan(Math.sinh(Math.PI * (1 - 2 * v))) * 180) / Math.PI;
  }
  return {
    kind: header.kind,
    id,
    z,
    x,
    y,
    x16: arrays.x as Uint16Array,
    y16: arrays.y as Uint16Array,
    side: header.side ?? 0,
    length: header.count,
    places,
    value: arrays.value as Float32Array,
    velocity: (arrays.velocity ?? arrays.value) as Float32Array,
    count: (arrays.count as Uint32Array) ?? null,
    row: (arrays.row as Uint32Array) ?? null,
    part: (arrays.part as Uint16Array) ?? null,
    parts: header.parts,
  };
}
