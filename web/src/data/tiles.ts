/** Tiles of points: those in view are fetched, and until they are there coarser ones stand in. */

import { fraction } from "../map/mercator";
import type { Camera, View } from "../map/view";
import { tile as fetchTile } from "./api";
import { FILM } from "./film";
import type { LayerInfo, TileData } from "./types";

const KEPT = 160;
const KEPT_FILMS = 64; // each is some megabytes; as many as there are in view at most
const MAX_ZOOM = 16;
const MOST = 64; // tiles in view

interface Entry {
  data: TileData | null;
  broken: boolean; // asked for, and not to be had
  abort: AbortController;
  used: number;
}

export class PointTiles {
  private readonly entries = new Map<string, Entry>();
  private needed: [number, number, number][] = [];
  private clock = 0;

  constructor(
    readonly layer: LayerInfo,
    readonly field: string,
    readonly by: string,
    readonly heights: boolean,
    private readonly changed: () => void,
    private readonly failed: (error: Error) => void,
  ) {}

  /** Fetch what is in view; leave what is not. */
  look(view: View): void {
    this.needed = covering(view.bounds(), view.camera(), this.layer);
    const wanted = new Set(this.needed.map(name));
    for (const [key, entry] of this.entries) {
      if (entry.broken) this.entries.delete(key); // asked for again
      else if (entry.data === null && !wanted.has(key)) {
        entry.abort.abort();
        this.entries.delete(key);
      }
    }
    for (const place of this.needed) if (!this.entries.has(name(place))) void this.fetch(place);
    this.forget();
  }

  /** What can be drawn now. */
  drawn(): TileData[] {
    const found = new Map<string, TileData>();
    for (const [z, x, y] of this.needed) {
      for (let up = 0; up <= z; up++) {
        const key = name([z - up, x >> up, y >> up]);
        const entry = this.entries.get(key);
        if (entry?.data) {
          entry.used = ++this.clock;
          found.set(key, entry.data);
          break;
        }
      }
    }
    return [...found.values()];
  }

  get waiting(): boolean {
    return this.needed.some((place) => {
      const entry = this.entries.get(name(place));
      return !entry?.data && !entry?.broken;
    });
  }

  stop(): void {
    for (const entry of this.entries.values()) entry.abort.abort();
    this.entries.clear();
  }

  private async fetch(place: [number, number, number]): Promise<void> {
    const entry: Entry = { data: null, broken: false, abort: new AbortController(), used: ++this.clock };
    this.entries.set(name(place), entry);
    try {
      entry.data = await fetchTile(this.layer, ...place, this.field, this.by, this.heights, entry.abort.signal);
      this.changed();
    } catch (error) {
      if (entry.abort.signal.aborted) return;
      entry.broken = true;
      this.changed();
      this.failed(error as Error);
    }
  }

  private forget(): void {
    const most = this.field === FILM ? KEPT_FILMS : KEPT;
    if (this.entries.size <= most) return;
    const old = [...this.entries].filter(([, entry]) => entry.data).sort((a, b) => a[1].used - b[1].used);
    for (const [key] of old.slice(0, this.entries.size - most)) this.entries.delete(key);
  }
}

const name = ([z, x, y]: [number, number, number]): string => `${z}/${x}/${y}`;

/** Numbers of the tiles that cover what is both in view and in the layer. */
export function covering(view: [number, number, number, number], camera: Camera, layer: LayerInfo): [number, number, number][] {
  const [west, south, east, north] = [0, 1, 2, 3].map((i) =>
    i < 2 ? Math.max(view[i], layer.bounds[i]) : Math.min(view[i], layer.bounds[i]),
  );
  if (west > east || south > north) return [];
  let z = Math.max(0, Math.min(layer.max_zoom ?? MAX_ZOOM, Math.floor(camera.zoom + 0.25)));
  for (; ; z--) {
    const [left, top] = fraction(west, north).map((v) => Math.floor(v * 2 ** z));
    const [right, bottom] = fraction(east, south).map((v) => Math.floor(v * 2 ** z));
    if (z && (right - left + 1) * (bottom - top + 1) > MOST) continue; // a tilted map reaches far
    const tiles: [number, number, number][] = [];
    for (let x = left; x <= right; x++) for (let y = top; y <= bottom; y++) tiles.push([z, x, y]);
    return tiles;
  }
}
