/** The base map that comes with the page: Natural Earth, public domain, by way of world-atlas. */

import { feature, mesh } from "topojson-client";
import type { Topology } from "topojson-specification";
import type { Land, World } from "../map/ground";
import { read } from "./files";

async function outlines(name: string): Promise<Topology> {
  const packed = new Blob([await read(`assets/${name}.bin`)]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

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
