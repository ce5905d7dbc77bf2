/** What the page asks the server, or an exported folder. */

import { decode } from "./decode";
import { FILM } from "./film";
import { Missing, SCHEME, exported, read } from "./files";
import type { AreaRecord, Catalog, LayerInfo, PointRecord, ProfileRecord, Question, TileData } from "./types";

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

export async function tile(layer: LayerInfo, z: number, x: number, y: number, field: string, by: string, heights: boolean, signal: AbortSignal): Promise<TileData> {
  const film = field === FILM;
  const query = exported ? "" : `?${film ? "" : `field=${field}&`}by=${by}${heights ? "&heights=true" : ""}&v=${layer.version}`;
  try {
    const made = decode(await read(`${at(layer)}/${film ? "film" : "tiles"}/${z}/${x}/${y}.bin${query}`, signal), z, x, y);
    return film && made.kind === "cells" ? { ...made, value: made.value.slice().fill(Number.NaN), pale: true } : made;
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
