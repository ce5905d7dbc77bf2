/** Colours of values, from the scales of the server. */

import type { TileData } from "../data/types";
import { colours } from "../theme";

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
    const pale = parse(colours().points.pale);
    for (let i = 0; i < tile.length; i++) {
      const value = tile.value[i];
      if (tile.by[i] < least || tile.by[i] > largest) continue;
      if (tile.pale) out.set([...pale, alpha], 4 * i);
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

const painted = new WeakMap<TileData, { key: string; colours: Uint8Array }>();

export function parse(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const QUIET = ["unclear", "does not move", "too few points"];

export const isVerdict = (verdict: unknown): boolean => String(verdict) in colours().verdicts;
export const moves = (verdict: unknown): boolean => isVerdict(verdict) && !QUIET.includes(String(verdict));
