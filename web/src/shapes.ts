/** Arrows, and what lies under a place. */

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
    return { type: "Feature", properties: { ...feature.properties, width: 1.3 }, geometry: { type: "MultiLineString", coordinates } };
  });
  return { type: "FeatureCollection", features };
}

/** The largest of 1, 2, 5, 10, 20 and so on that is not above a value. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [5, 2, 1].map((each) => each * power).find((each) => each <= value) ?? power;
}

/** Whether a shape is within reach of a place. */
export function near(geometry: GeoJSON.Geometry, x: number, y: number, reach: number): boolean {
  if (geometry.type === "GeometryCollection") return geometry.geometries.some((each) => near(each, x, y, reach));
  const lines = (value: unknown): number[][][] => {
    const list = value as number[][];
    if (typeof list[0] === "number") return [[list as unknown as number[]]];
    return typeof list[0][0] === "number" ? [list] : (value as unknown[]).flatMap(lines);
  };
  const rings = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.type === "MultiPolygon" ? geometry.coordinates : [];
  if (rings.some((polygon) => polygon.filter((ring) => inside(ring, x, y)).length % 2 === 1)) return true;
  return lines(geometry.coordinates).some((line) => line.some((place, i) => distance(place, line[i + 1] ?? place, x, y) < reach));
}

function inside(ring: number[][], x: number, y: number): boolean {
  let crossed = false;
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) crossed = !crossed;
  });
  return crossed;
}

function distance(a: number[], b: number[], x: number, y: number): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const along = Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(a[0] + along * dx - x, a[1] + along * dy - y);
}
