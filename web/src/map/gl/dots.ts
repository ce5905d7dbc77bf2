/** Points and cells as layers of deck.gl. */

import { ScatterplotLayer } from "@deck.gl/layers";
import type { TileData } from "../../data/types";
import { colours } from "../../theme";
import { parse } from "../color";
import { type Drawn, type Style, pointRadius } from "../view";

export function pointLayers(drawn: Drawn[], style: Style, zoom: number): ScatterplotLayer[] {
  return drawn.flatMap(({ layer, tiles }) => tiles.map((tile) => pointLayer(layer.id, tile, style, zoom, layer.level === "L3")));
}

function pointLayer(id: string, tile: TileData, style: Style, zoom: number, grid: boolean): ScatterplotLayer {
  const cells = tile.kind === "cells";
  const stroked = !cells && zoom > 11;
  return new ScatterplotLayer({
    id: `${id}/${tile.id}`,
    data: given(tile, style.scale.paint(tile, style), stroked) as never,
    radiusUnits: cells ? "common" : "pixels",
    getRadius: 1,
    radiusScale: cells ? (0.54 * 512) / 2 ** tile.z / tile.side : style.size * pointRadius(zoom, grid),
    radiusMinPixels: cells ? 1 : 0,
    stroked,
    lineWidthUnits: "pixels",
    getLineWidth: 0.6,
    antialiasing: !cells,
    parameters: { depthCompare: "always" },
    pickable: false,
  });
}

const kept = new WeakMap<Uint8Array, Map<boolean, object>>();

/** Places and colours as deck.gl takes them; the same object as before where nothing has changed, which is not sent to the card again. */
function given(tile: TileData, painted: Uint8Array, stroked: boolean): object {
  const known = kept.get(painted) ?? new Map<boolean, object>();
  kept.set(painted, known);
  if (!known.has(stroked)) {
    const edges = stroked && { getLineColor: { value: edgesOf(painted), size: 4, normalized: true } };
    const attributes = { getPosition: { value: tile.places, size: 2 }, getFillColor: { value: painted, size: 4, normalized: true }, ...edges };
    known.set(stroked, { length: tile.length, attributes });
  }
  return known.get(stroked)!;
}

/** Colours of the edges of points; what is not painted has none. */
function edgesOf(painted: Uint8Array): Uint8Array {
  const { edge, strength } = colours().points;
  const ink = parse(edge);
  return painted.map((value, i) => (i % 4 < 3 ? ink[i % 4] : Math.round(strength * value)));
}
