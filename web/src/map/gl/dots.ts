/** Points and cells as layers of deck.gl. */

import { ScatterplotLayer } from "@deck.gl/layers";
import type { TileData } from "../../data/types";
import { type Drawn, type Style, pointRadius } from "../view";

export function pointLayers(drawn: Drawn[], style: Style, zoom: number): ScatterplotLayer[] {
  return drawn.flatMap(({ layer, tiles }) => tiles.map((tile) => pointLayer(layer.id, tile, style, zoom, layer.level === "L3")));
}

function pointLayer(id: string, tile: TileData, style: Style, zoom: number, grid: boolean): ScatterplotLayer {
  const cells = tile.kind === "cells";
  const attributes = {
    getPosition: { value: tile.places, size: 2 },
    getFillColor: { value: style.scale.paint(tile, style.least, style.largest), size: 4, normalized: true },
  };
  return new ScatterplotLayer({
    id: `${id}/${tile.id}`,
    data: { length: tile.length, attributes } as never,
    radiusUnits: cells ? "common" : "pixels",
    getRadius: cells ? (0.54 * 512) / 2 ** tile.z / tile.side : pointRadius(zoom, grid),
    radiusMinPixels: cells ? 1 : 0,
    stroked: !cells && zoom > 11,
    lineWidthUnits: "pixels",
    getLineWidth: 0.6,
    getLineColor: [25, 40, 50, 110],
    antialiasing: !cells,
    parameters: { depthCompare: "always" },
    pickable: false,
  });
}
