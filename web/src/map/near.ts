/** Parts of shapes, and what lies under a place. */

/** Whether a place, a line or an edge is within reach of a place, or an area around it. */
export function near(geometry: GeoJSON.Geometry, x: number, y: number, reach: number): boolean {
  if (geometry.type === "GeometryCollection") return geometry.geometries.some((each) => near(each, x, y, reach));
  const rings = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.type === "MultiPolygon" ? geometry.coordinates : [];
  if (rings.some((polygon) => polygon.filter((ring) => inside(ring, x, y)).length % 2 === 1)) return true;
  const { lines, places } = parts(geometry);
  return [...lines, ...places.map((place) => [place])].some((line) => line.some((place, k) => distance(place, line[k + 1] ?? place, x, y) < reach));
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

/** Lines and edges, and places, of a shape. */
export function parts(geometry: GeoJSON.Geometry): { lines: number[][][]; places: number[][] } {
  if (geometry.type === "Point") return { lines: [], places: [geometry.coordinates] };
  if (geometry.type === "MultiPoint") return { lines: [], places: geometry.coordinates };
  if (geometry.type === "LineString") return { lines: [geometry.coordinates], places: [] };
  if (geometry.type === "MultiLineString" || geometry.type === "Polygon") return { lines: geometry.coordinates, places: [] };
  if (geometry.type === "MultiPolygon") return { lines: geometry.coordinates.flat(), places: [] };
  const all = geometry.geometries.map(parts);
  return { lines: all.flatMap(({ lines }) => lines), places: all.flatMap(({ places }) => places) };
}
