/** The point that is drawn nearest to a place. */

import type { LayerInfo, TileData } from "../data/types";
import { degreesPerPixel, worldSize } from "./mercator";
import type { Camera, Drawn, View } from "./view";

export interface Found {
  layer: LayerInfo;
  tile: TileData;
  index: number;
}

/** The same on a tilted map, from a place on the screen: points are where they are seen. */
export function underTilted(drawn: Drawn[], zoom: number, lift: NonNullable<View["lift"]>, [left, top]: [number, number], reach: number, keep: { least: number; largest: number }): Found | null {
  let best: Found | null = null;
  let least = Infinity;
  for (const { layer, tiles } of drawn) {
    for (const tile of tiles) {
      const world = 2 ** tile.z;
      const wide = Math.max(reach, tile.side ? (0.71 * worldSize(zoom - tile.z)) / tile.side : 0);
      for (let i = 0; i < tile.length; i++) {
        if (tile.by[i] < keep.least || tile.by[i] > keep.largest) continue;
        const [x, y] = lift((tile.x + tile.x16[i] / 65536) / world, (tile.y + tile.y16[i] / 65536) / world, tile.height?.[i] ?? Number.NaN);
        const distance = Math.hypot(x - left, y - top);
        if (distance > wide || distance >= least) continue;
        least = distance;
        best = { layer, tile, index: i };
      }
    }
  }
  return best;
}

/** Within `reach` pixels, or in the cell that is drawn there; none that the filter hides. */
export function under(drawn: Drawn[], camera: Camera, [longitude, latitude]: [number, number], reach: number, keep: { least: number; largest: number }): Found | null {
  const pixel = degreesPerPixel(camera);
  const squeeze = 1 / Math.cos((latitude * Math.PI) / 180);
  let best: Found | null = null;
  let least = Infinity;
  for (const { layer, tiles } of drawn) {
    for (const tile of tiles) {
      const cell = tile.side ? (0.71 * worldSize(camera.zoom - tile.z)) / tile.side : 0;
      const wide = Math.max(reach, cell) * pixel;
      for (let i = 0; i < tile.length; i++) {
        const dx = tile.places[2 * i] - longitude;
        if (dx > wide || dx < -wide) continue;
        const dy = (tile.places[2 * i + 1] - latitude) * squeeze;
        const distance = dx * dx + dy * dy;
        if (distance > wide * wide || distance >= least || tile.by[i] < keep.least || tile.by[i] > keep.largest) continue;
        least = distance;
        best = { layer, tile, index: i };
      }
    }
  }
  return best;
}
