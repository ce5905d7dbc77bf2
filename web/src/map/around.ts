/** The outline of what lies near a feature. */

import { parts } from "./near";

const METRES = 111_320; // of a degree of latitude

type Place = [number, number];

/** The convex outline of what lies within some metres beside the lines or edges of a feature, and not beyond their ends; degrees. */
export function around(geometry: GeoJSON.Geometry, metres: number): Place[] {
  const corners = parts(geometry).lines.flatMap((line) => line.slice(1).flatMap((place, k) => beside(line[k], place, metres)));
  return hull(corners);
}

/** Four places beside the ends of a straight line. */
function beside([ax, ay]: number[], [bx, by]: number[], metres: number): Place[] {
  const squeeze = Math.cos((ay * Math.PI) / 180);
  const [dx, dy] = [(bx - ax) * squeeze, by - ay];
  const length = Math.hypot(dx, dy);
  if (!length) return [];
  const [east, north] = [((dy / length) * metres) / METRES / squeeze, ((-dx / length) * metres) / METRES];
  return [1, -1].flatMap((side): Place[] => [[ax + side * east, ay + side * north], [bx + side * east, by + side * north]]);
}

/** The convex hull of places, counter-clockwise (Andrew, 1979). */
function hull(all: Place[]): Place[] {
  const sorted = [...all].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const chain = (given: Place[]): Place[] => {
    const made: Place[] = [];
    for (const place of given) {
      while (made.length > 1 && turns(made[made.length - 2], made[made.length - 1], place) <= 0) made.pop();
      made.push(place);
    }
    return made.slice(0, -1);
  };
  return [...chain(sorted), ...chain(sorted.reverse())];
}

const turns = ([ax, ay]: Place, [bx, by]: Place, [cx, cy]: Place): number => (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
