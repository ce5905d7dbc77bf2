/** Sources and layers of the base map. */

import type maplibregl from "maplibre-gl";
import { COLOURS, SURE, type World } from "../ground";

/** Sea, land and borders, and an online map over them if there is one; nothing without a world. */
export function baseStyle(world: World | null, basemap: string | null): maplibregl.StyleSpecification {
  const style: maplibregl.StyleSpecification = { version: 8, sources: {}, layers: [] };
  if (!world) return style;
  style.sources.land = { type: "geojson", data: world.land as GeoJSON.GeoJSON, maxzoom: 12, tolerance: 0.2 };
  style.sources.borders = { type: "geojson", data: world.borders, maxzoom: 9 };
  style.layers.push(
    { id: "sea", type: "background", paint: { "background-color": ["interpolate", ["linear"], ["zoom"], SURE[0], COLOURS.sea, SURE[1], COLOURS.land] } },
    { id: "land", type: "fill", source: "land", paint: { "fill-color": COLOURS.land } },
    { id: "coast", type: "line", source: "land", paint: { "line-color": COLOURS.coast, "line-width": 0.8, "line-opacity": ["interpolate", ["linear"], ["zoom"], 9, 1, 13, 0.25] } },
    { id: "borders", type: "line", source: "borders", paint: { "line-color": COLOURS.border, "line-width": 0.8, "line-dasharray": [3, 2] } },
  );
  if (basemap) {
    style.sources.basemap = { type: "raster", tiles: [basemap], tileSize: 256 };
    style.layers.push({ id: "basemap", type: "raster", source: "basemap" });
  }
  return style;
}
