/** The map moved so that what was asked about is not below the drawer. */

import { get } from "../dom";
import type { View } from "../map/view";

const MARGIN = 24; // pixels from the drawer

/** Show places above the drawer; move no more than is needed, and zoom out if they have no room. */
export function uncover(view: View, places: [number, number][]): void {
  const free = get("map").clientHeight - get("drawer").offsetHeight;
  const y = places.map((place) => view.project(...place)[1]);
  const [top, bottom] = [Math.min(...y), Math.max(...y)];
  if (bottom < free - MARGIN) return;
  if (bottom - top > free - 2 * MARGIN) {
    const [west, east] = [Math.min, Math.max].map((of) => of(...places.map(([longitude]) => longitude)));
    const [south, north] = [Math.min, Math.max].map((of) => of(...places.map(([, latitude]) => latitude)));
    return view.fit([west, south, east, north]);
  }
  view.raise((top + bottom) / 2 - free / 2);
}
