/** Displacement of points month by month, as the server packs it: see explore/film.py. */

import type { Film, LayerInfo, TileData } from "./types";

/** The field that stands for it. */
export const FILM = "displacement";

const EMPTY = -32768;

/** From and to: months since the year 0. */
export type Span = [number, number];

/** The month of a date. */
export const monthOf = (date: string): number => 12 * Number(date.slice(0, 4)) + Number(date.slice(5, 7)) - 1;

/** A month as YYYY-MM. */
export const monthText = (month: number): string => `${String(Math.floor(month / 12)).padStart(4, "0")}-${String((month % 12) + 1).padStart(2, "0")}`;

/** First and last month of what some layers of points hold; null if there is but one. */
export function wholeSpan(layers: LayerInfo[]): Span | null {
  const films = layers.filter((layer) => layer.fields?.[FILM] && layer.first && layer.last);
  const [first, last] = [Math.min(...films.map((layer) => monthOf(layer.first!))), Math.max(...films.map((layer) => monthOf(layer.last!)))];
  return films.length && last > first ? [first, last] : null;
}

/** Where a month of a point is; a month beyond the film is the nearest that it has. */
const at = (film: Film, length: number, month: number): number => length * Math.max(0, Math.min(film.mean.length / length - 1, month - film.first));

/** Give a tile the displacements from one month to another as its values. */
export function develop(tile: TileData, [from, to]: Span): void {
  const { film, length } = tile;
  if (!film || film.shown === `${from} ${to}`) return;
  film.shown = `${from} ${to}`;
  const [a, b] = [at(film, length, from), at(film, length, to)];
  for (let i = 0; i < length; i++) {
    const [before, after] = [film.mean[a + i], film.mean[b + i]];
    tile.value[i] = before === EMPTY || after === EMPTY ? Number.NaN : (after - before) * film.quantum;
  }
}

/** One standard deviation of the value of a point, for errors that are independent from date to date. */
export function spread({ film, length }: TileData, i: number, [from, to]: Span): number {
  if (!film) return Number.NaN;
  const [a, b] = [at(film, length, from), at(film, length, to)];
  return a === b ? 0 : film.noise[i] * Math.sqrt(1 / film.counts[a + i] + 1 / film.counts[b + i]);
}
