/** Points and cells as layers of deck.gl. */

import { ScatterplotLayer } from "@deck.gl/layers";
import type { TileData } from "../../data/types";
import { colours } from "../../theme";
import { parse } from "../color";
import { type Drawn, type Style, pointRadius } from "../view";

/** Heights as a tilted map draws them. */
export interface Raise {
  times: number;
  base: number;
}

export function pointLayers(drawn: Drawn[], style: Style, zoom: number, raise: Raise | null): ScatterplotLayer[] {
  return drawn.flatMap(({ layer, tiles }) => tiles.map((tile) => pointLayer(layer.id, tile, style, zoom, layer.level === "L3", raise)));
}

function pointLayer(id: string, tile: TileData, style: Style, zoom: number, grid: boolean, raise: Raise | null): ScatterplotLayer {
  const cells = tile.kind === "cells";
  const stroked = !cells && zoom > 11;
  return new ScatterplotLayer({
    id: `${id}/${tile.id}`,
    data: given(tile, style.scale.paint(tile, style), stroked, raise) as never,
    radiusUnits: cells ? "common" : "pixels",
    getRadius: 1,
    radiusScale: cells ? (0.54 * 512) / 2 ** tile.z / tile.side : style.size * pointRadius(zoom, grid),
    radiusMinPixels: cells ? 1 : 0,
    stroked,
    lineWidthUnits: "pixels",
    getLineWidth: 0.6,
    antialiasing: !cells,
    billboard: raise !== null,
    parameters: raise ? { depthCompare: "less-equal", depthWriteEnabled: true } : { depthCompare: "always" },
    pickable: false,
  });
}

const kept = new WeakMap<Uint8Array, Map<string, object>>();

/** Places and colours as deck.gl takes them; the same object as before where nothing has changed, which is not sent to the card again. */
function given(tile: TileData, painted: Uint8Array, stroked: boolean, raise: Raise | null): object {
  const known = kept.get(painted) ?? new Map<string, object>();
  kept.set(painted, known);
  const key = `${stroked} ${raise?.times} ${raise?.base}`;
  if (!known.has(key)) {
    const edges = stroked && { getLineColor: { value: edgesOf(painted), size: 4, normalized: true } };
    const attributes = { getPosition: raise ? { value: raised(tile, painted, raise), size: 3 } : { value: tile.places, size: 2 }, getFillColor: { value: painted, size: 4, normalized: true }, ...edges };
    known.set(key, { length: tile.length, attributes });
  }
  return known.get(key)!;
}

/** Colours of the edges of points; what is not painted has none. */
function edgesOf(painted: Uint8Array): Uint8Array {
  const { edge, strength } = colours().points;
  const ink = parse(edge);
  return painted.map((value, i) => (i % 4 < 3 ? ink[i % 4] : Math.round(strength * value)));
}

/** Places with heights; on the base where the height is not known, and nowhere what is not painted, which may hide nothing. */
function raised({ length, places, height }: TileData, painted: Uint8Array, { times, base }: Raise): Float64Array {
  const made = new Float64Array(3 * length);
  for (let i = 0; i < length; i++) {
    const above = (height?.[i] ?? base) - base;
    made.set([places[2 * i], places[2 * i + 1], painted[4 * i + 3] ? times * (above || 0) : Number.NaN], 3 * i);
  }
  return made;
}
