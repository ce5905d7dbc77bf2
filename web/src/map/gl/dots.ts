/** Points and cells as layers of deck.gl. */

import { ScatterplotLayer } from "@deck.gl/layers";
import type { TileData } from "../../data/types";
import { type Drawn, type Style, pointRadius } from "../view";

export function pointLayers(drawn: Drawn[], style: Style, zoom: number): ScatterplotLayer[] {
  return drawn.flatMap(({ layer, tiles }) => tiles.map((tile) => pointLayer(layer.id, tile, style, zoom, layer.level === "L3")));
}

function pointLayer(id: string, tile: TileData, style: Style, zoom: number, grid: boolean): ScatterplotLayer {
  const cells = tile.kind === "cells";
  const colours = style.scale.paint(tile, style);
  const stroked = !cells && zoom > 11;
  const attributes = {
    getPosition: { value: tile.places, size: 2 },
    getFillColor: { value: colours, size: 4, normalized: true },
    ...(stroked && { getLineColor: { value: edges(colours), size: 4, normalized: true } }),
  };
  return new ScatterplotLayer({
    id: `${id}/${tile.id}`,
    data: { length: tile.length, attributes } as never,
    radiusUnits: cells ? "common" : "pixels",
    getRadius: cells ? (0.54 * 512) / 2 ** tile.z / tile.side : style.size * pointRadius(zoom, grid),
    radiusMinPixels: cells ? 1 : 0,
    stroked,
    lineWidthUnits: "pixels",
    getLineWidth: 0.6,
    antialiasing: !cells,
    parameters: { depthCompare: "always" },
    pickable: false,
  });
}

const EDGE = [25, 40, 50];
const known = new WeakMap<Uint8Array, Uint8Array>();

/** Colours of the edges of points, by those of the points; what is not painted has none. */
function edges(colours: Uint8Array): Uint8Array {
  const made = known.get(colours) ?? colours.map((value, i) => (i % 4 < 3 ? EDGE[i % 4] : Math.round(0.43 * value)));
  known.set(colours, made);
  return made;
}
