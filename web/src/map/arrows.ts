/** Arrows of horizontal motion, as shapes of the map. */

/** Degrees of latitude that a unit of motion is drawn as: the longest arrows are a fourteenth of the map. */
export function arrowScale(data: GeoJSON.FeatureCollection, bounds: number[]): number {
  const lengths = data.features.map(({ properties }) => Math.hypot(properties!.east, properties!.north)).sort((a, b) => a - b);
  return (bounds[3] - bounds[1] || 0.1) / 14 / (lengths[Math.floor(0.98 * (lengths.length - 1))] || 1);
}

/** Points with motion as arrows; the shortest are left out. */
export function drawArrows(data: GeoJSON.FeatureCollection, bounds: number[], scale: number): GeoJSON.FeatureCollection {
  const squeeze = Math.cos((((bounds[1] + bounds[3]) / 2) * Math.PI) / 180);
  const least = (0.08 * (bounds[3] - bounds[1])) / 14 / scale;
  const features = data.features.filter(({ properties }) => Math.hypot(properties!.east, properties!.north) > least).map((feature): GeoJSON.Feature => {
    const { east, north } = feature.properties as { east: number; north: number };
    const [x, y] = (feature.geometry as GeoJSON.Point).coordinates;
    const at = (along: number, across: number): number[] => [x + ((east * along - north * across) * scale) / squeeze, y + (north * along + east * across) * scale];
    const coordinates = [[at(0, 0), at(1, 0)], [at(0.7, 0.14), at(1, 0), at(0.7, -0.14)]];
    return { type: "Feature", properties: { ...feature.properties, pixels: 1.3 }, geometry: { type: "MultiLineString", coordinates } };
  });
  return { type: "FeatureCollection", features };
}
