/** The map in WebGL seen from the side. */

import { WebMercatorViewport } from "@deck.gl/core";
import type maplibregl from "maplibre-gl";
import { EQUATOR } from "../mercator";
import type { Tilt } from "../view";

const PITCH = 55; // degrees, at first
const TERRAIN = "terrain";
const WORLD = 512; // units that the viewport is wide where the world is

/** Tilt the map, and let mouse, keys and fingers turn it; or lay it flat, and let them not. */
export function tiltMap(map: maplibregl.Map, tilt: Tilt | null, first: boolean): void {
  const way = tilt ? "enable" : "disable";
  map.dragRotate[way]();
  map.touchPitch[way]();
  map.touchZoomRotate[`${way}Rotation`]();
  map.keyboard[`${way}Rotation`]();
  stand(map, tilt);
  if (!tilt) map.jumpTo({ pitch: 0, bearing: 0 });
  else if (first && !map.getPitch()) map.jumpTo({ pitch: PITCH });
}

/** The ground at its heights, if they are known. */
function stand(map: maplibregl.Map, tilt: Tilt | null): void {
  const url = tilt?.relief?.url;
  const source = map.getSource(TERRAIN) as maplibregl.RasterDEMTileSource | undefined;
  if (source && source.tiles?.[0] !== url) {
    map.setTerrain(null);
    map.removeSource(TERRAIN);
  }
  if (!tilt?.relief) return;
  const { layer } = tilt.relief;
  if (!map.getSource(TERRAIN)) map.addSource(TERRAIN, { type: "raster-dem", encoding: "terrarium", tiles: [url!], tileSize: 256, bounds: layer.bounds, maxzoom: layer.max_zoom ?? 15 });
  map.setTerrain({ source: TERRAIN, exaggeration: tilt.times });
}

/** Pixels of parts of the world at heights above the base, as the points are drawn. */
export function lifter(map: maplibregl.Map, { times, base }: Tilt): (x: number, y: number, metres: number) => [number, number] {
  const { clientWidth: width, clientHeight: height } = map.getContainer();
  const { lng: longitude, lat: latitude } = map.getCenter();
  const position = [0, 0, map.getTerrain() ? map.transform.elevation : 0];
  const { pixelProjectionMatrix: m } = new WebMercatorViewport({ width, height, longitude, latitude, zoom: map.getZoom(), pitch: map.getPitch(), bearing: map.getBearing(), position });
  return (x, y, metres) => {
    const enlarged = Math.cosh(Math.PI * (1 - 2 * y)); // 1 / cos of the latitude
    const [a, b, c] = [WORLD * x, WORLD * (1 - y), ((WORLD * times * (metres - base || 0)) / EQUATOR) * enlarged];
    const [left, top, share] = [m[0] * a + m[4] * b + m[8] * c + m[12], m[1] * a + m[5] * b + m[9] * c + m[13], m[3] * a + m[7] * b + m[11] * c + m[15]];
    return share > 0 ? [left / share, top / share] : [Number.NaN, Number.NaN];
  };
}
