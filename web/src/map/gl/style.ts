/** Sources and layers of the base map. */

import type maplibregl from "maplibre-gl";
import { colours } from "../../theme";
import { SURE, type World } from "../ground";

/** Sea, land and borders, and an online map over them if there is one; nothing without a world. */
export function baseStyle(world: World | null, basemap: string | null): maplibregl.StyleSpecification {
  const style: maplibregl.StyleSpecification = { version: 8, sources: {}, layers: [] };
  if (!world) return style;
  style.sources.land = { type: "geojson", data: world.land as GeoJSON.GeoJSON, maxzoom: 12, tolerance: 0.2 };
  style.sources.borders = { type: "geojson", data: world.borders, maxzoom: 9 };
  style.layers.push(
    { id: "sea", type: "background" },
    { id: "land", type: "fill", source: "land" },
    { id: "coast", type: "line", source: "land", paint: { "line-width": 0.8, "line-opacity": ["interpolate", ["linear"], ["zoom"], 9, 1, 13, 0.25] } },
    { id: "borders", type: "line", source: "borders", paint: { "line-width": 0.8, "line-dasharray": [3, 2] } },
  );
  for (const [id, property, value] of groundPaint()) Object.assign((style.layers.find((layer) => layer.id === id)!.paint ??= {}), { [property]: value });
  if (basemap) {
    style.sources.basemap = { type: "raster", tiles: [basemap], tileSize: 256 };
    style.layers.push({ id: "basemap", type: "raster", source: "basemap" });
  }
  return style;
}

/** Layer, property and colour of what lies below everything else. */
export function groundPaint(): [string, string, unknown][] {
  const { sea, land, coast, border } = colours().ground;
  return [
    ["sea", "background-color", ["interpolate", ["linear"], ["zoom"], SURE[0], sea, SURE[1], land]],
    ["land", "fill-color", land],
    ["coast", "line-color", coast],
    ["borders", "line-color", border],
  ];
}
