/** Colours of values, from the palettes of the server. */

import type { TileData } from "../data/types";

export type Rgb = [number, number, number];

/** Which points are painted, and how much of what is below them is seen. */
export interface Painted {
  least: number;
  largest: number;
  opacity: number; // 0 to 1
}

export class Scale {
  private readonly table: Uint8Array;

  constructor(
    readonly stops: string[],
    readonly low: number,
    readonly high: number,
  ) {
    this.table = new Uint8Array(256 * 3);
    const colours = stops.map(parse);
    for (let i = 0; i < 256; i++) {
      const place = (i / 255) * (colours.length - 1);
      const first = Math.min(Math.floor(place), colours.length - 2);
      for (let c = 0; c < 3; c++) {
        this.table[3 * i + c] = Math.round(colours[first][c] + (colours[first + 1][c] - colours[first][c]) * (place - first));
      }
    }
  }

  /** Where a value lies in the table. */
  private index(value: number): number {
    const scaled = ((value - this.low) / (this.high - this.low || 1)) * 255;
    return Math.max(0, Math.min(255, Math.round(scaled)));
  }

  css(value: number): string {
    const i = 3 * this.index(value);
    return `rgb(${this.table[i]} ${this.table[i + 1]} ${this.table[i + 2]})`;
  }

  gradient(): string {
    return `linear-gradient(to right, ${this.stops.join(", ")})`;
  }

  /** Colours of a tile; points that are not measured, or outside the filter, are transparent. Kept until they change. */
  paint(tile: TileData, { least, largest, opacity }: Painted): Uint8Array {
    const key = [...this.stops, this.low, this.high, least, largest, opacity, tile.film?.shown].join();
    const kept = painted.get(tile);
    if (kept?.key === key) return kept.colours;
    const colours = this.fresh(tile, least, largest, Math.round(255 * opacity));
    painted.set(tile, { key, colours });
    return colours;
  }

  private fresh(tile: TileData, least: number, largest: number, alpha: number): Uint8Array {
    const out = new Uint8Array(4 * tile.length);
    for (let i = 0; i < tile.length; i++) {
      const value = tile.value[i];
      if (tile.by[i] < least || tile.by[i] > largest) continue;
      if (tile.pale) out.set([...PALE, alpha], 4 * i);
      if (Number.isNaN(value)) continue;
      const from = 3 * this.index(value);
      out[4 * i] = this.table[from];
      out[4 * i + 1] = this.table[from + 1];
      out[4 * i + 2] = this.table[from + 2];
      out[4 * i + 3] = alpha;
    }
    return out;
  }
}

const PALE = [176, 185, 190]; // of cells whose value is not known
const painted = new WeakMap<TileData, { key: string; colours: Uint8Array }>();

export function parse(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Of the series in a chart; distinct for the colour-blind (Okabe and Ito, 2008). */
export const SERIES = ["#0f5f73", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#444444"];

/** Of what a span or segment of an asset does: red is down, away or west, blue the opposite. */
export const VERDICTS: Record<string, string> = {
  settles: "#ae4735", "moves away": "#ae4735", "moves west": "#ae4735", rises: "#2b5c94", "moves toward": "#2b5c94", "moves east": "#2b5c94",
  unclear: "#e0b000", "does not move": "#7a8790", "too few points": "#c9d0d4",
};
const QUIET = ["unclear", "does not move", "too few points"];

export const moves = (verdict: unknown): boolean => typeof verdict === "string" && verdict in VERDICTS && !QUIET.includes(verdict);

/** Of the levels of alert of assets. */
export const LEVELS: Record<string, string> = { alert: "#a50026", watch: "#e07b28", notice: "#d6b000", none: "#4a7fa8", "not seen": "#a9b2b7" };
