/** Tiles that are pictures, as sources and layers of the map, below the shapes. */

import type maplibregl from "maplibre-gl";
import { colours } from "../../theme";
import type { Picture } from "../view";

/** Show these and no others; what is there already with the same address stays. */
export function showPictures(map: maplibregl.Map, pictures: Picture[]): void {
  const wanted = new Map(pictures.map((picture) => [`picture-${picture.id}`, picture]));
  for (const { id } of map.getStyle().layers) {
    if (!id.startsWith("picture-")) continue;
    const source = map.getSource(id) as maplibregl.RasterTileSource | undefined;
    if (wanted.has(id) && source?.tiles?.[0] === wanted.get(id)!.url) continue;
    map.removeLayer(id);
    map.removeSource(id);
  }
  const above = map.getStyle().layers.find(({ id }) => id.startsWith("shape-"))?.id;
  for (const [id, { layer, url, size, relief }] of wanted) {
    if (map.getSource(id)) map.moveLayer(id, above);
    else lay(map, id, { layer, url, size, relief }, above);
    if (relief === null) continue;
    map.setPaintProperty(id, "raster-opacity", relief);
    map.setPaintProperty(id, "raster-brightness-max", colours().relief);
  }
}

function lay(map: maplibregl.Map, id: string, { layer, url, size, relief }: Omit<Picture, "id">, above: string | undefined): void {
  map.addSource(id, { type: "raster", tiles: [url], tileSize: size, bounds: layer.bounds, maxzoom: layer.max_zoom ?? 18 });
  map.addLayer({ id, type: "raster", source: id, paint: { "raster-resampling": relief === null ? "nearest" : "linear", "raster-fade-duration": 0 } }, above);
}
