/** The base map that comes with the page: Natural Earth, public domain, by way of world-atlas. */

import { feature, mesh } from "topojson-client";
import type { Topology } from "topojson-specification";
import url from "world-atlas/countries-50m.json?url";

export interface World {
  land: GeoJSON.Feature | GeoJSON.FeatureCollection;
  borders: GeoJSON.MultiLineString;
}

export async function world(): Promise<World> {
  const topology = (await (await fetch(url)).json()) as Topology;
  const land = feature(topology, topology.objects.land);
  const borders = mesh(topology, topology.objects.countries as never, (a, b) => a !== b);
  return { land, borders };
}

export const COLOURS = { sea: "#e3e9ec", land: "#f4f2ed", border: "#c4c0b6", coast: "#9fabb1" };
