/** Lines, edges of areas and places, drawn over the points. */

import { PathLayer, ScatterplotLayer } from "@deck.gl/layers";
import { type Rgb, parse } from "../color";
import { parts } from "../near";
import { shapeWidth } from "../view";

export type Stroke = PathLayer | ScatterplotLayer;

export function vertices(data: GeoJSON.FeatureCollection): number {
  return data.features.reduce((sum, { geometry }) => sum + parts(geometry).lines.reduce((count, line) => count + line.length, 0), 0);
}

/** Each over an edge that sets it off from what is below. */
export function strokes(id: string, data: GeoJSON.FeatureCollection, colour: (feature: GeoJSON.Feature) => string, edge: string, width: number): Stroke[] {
  const found = data.features.map((feature) => ({ ...parts(feature.geometry), colour: parse(colour(feature)), width: shapeWidth(feature, width) }));
  const paths = found.flatMap(({ lines, ...rest }) => lines.map((path) => ({ ...rest, path })));
  const places = found.flatMap(({ places, ...rest }) => places.map((position) => ({ ...rest, position })));
  const shared = { data: paths, getPath: (each: { path: number[][] }) => each.path as never, widthUnits: "pixels", jointRounded: true, capRounded: true, parameters: { depthCompare: "always" } } as const;
  const below = new PathLayer({ ...shared, id: `${id}-edge`, getColor: [...parse(edge), 180], getWidth: (each: { width: number }) => each.width + 1.8 } as never);
  const line = new PathLayer({ ...shared, id, getColor: (each: { colour: Rgb }) => each.colour, getWidth: (each: { width: number }) => each.width } as never);
  const circles = new ScatterplotLayer({
    id: `${id}-places`, data: places, getPosition: (each: { position: number[] }) => each.position as never, radiusUnits: "pixels", getRadius: 4, stroked: true,
    lineWidthUnits: "pixels", getLineWidth: 1.8, getFillColor: [255, 255, 255], getLineColor: (each: { colour: Rgb }) => each.colour, parameters: { depthCompare: "always" },
  } as never);
  return [below, line, circles];
}
