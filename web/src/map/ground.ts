/** Land and borders below everything else. */

export type Land = GeoJSON.Feature | GeoJSON.FeatureCollection;

export interface World {
  land: Land;
  borders: GeoJSON.MultiLineString;
}

/** Before the outlines are there. */
export const EMPTY: World = { land: { type: "FeatureCollection", features: [] }, borders: { type: "MultiLineString", coordinates: [] } };

/** Zooms between which the sea takes the colour of land: the outlines are of 1 : 10 million, too coarse to say there what is sea. */
export const SURE = [11, 13] as const;
