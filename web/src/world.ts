/** The base map that comes with the page: Natural Earth, public domain, by way of world-atlas. */

import { feature, mesh } from "topojson-client";
import type { Topology } from "topojson-specification";

export type Land = GeoJSON.Feature | GeoJSON.FeatureCollection;

export interface World {
  land: Land;
  borders: GeoJSON.MultiLineString;
}

async function outlines(name: string): Promise<Topology> {
  const packed = await fetch(`assets/${name}.bin`);
  return new Response(packed.body!.pipeThrough(new DecompressionStream("gzip"))).json();
}

/** Before the outlines are there. */
export const EMPTY: World = { land: { type: "FeatureCollection", features: [] }, borders: { type: "MultiLineString", coordinates: [] } };

export async function world(): Promise<World> {
  const topology = await outlines("countries-50m");
  const borders = mesh(topology, topology.objects.countries as never, (a, b) => a !== b);
  return { land: feature(topology, topology.objects.land), borders };
}

/** Land to a scale of 1 : 10 million, with the smaller islands. */
export async function fineLand(): Promise<Land> {
  const topology = await outlines("land-10m");
  return feature(topology, topology.objects.land);
}

export const COLOURS = { sea: "#d8e0e5", land: "#ebe9e4", border: "#b9b5aa", coast: "#93a0a7" };
