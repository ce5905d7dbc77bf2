/** The difference of two series, as a point of its own. */

import type { PointRecord } from "../data/types";
import { trend } from "./trend";

/** First less second, where both have a value; null if they share fewer than five dates. */
export function differenceOf([first, second]: PointRecord[]): PointRecord | null {
  const other = new Map(second.dates.map((date, i) => [date, second.displacement[i]]));
  const dates = first.dates.filter((date, i) => first.displacement[i] !== null && (other.get(date) ?? null) !== null);
  const own = new Map(first.dates.map((date, i) => [date, first.displacement[i]]));
  const times = dates.map((date) => Date.parse(date) / 1000);
  const values = dates.map((date) => own.get(date)! - other.get(date)!);
  const found = trend(times, values, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  if (!found || first.component !== second.component) return null;
  const rounded = (value: number) => Math.round(1000 * value) / 1000;
  const displacement = values.map((value) => rounded(value - values[0]));
  const attributes = { pid: `${first.attributes.pid} − ${second.attributes.pid}`, mean_velocity: rounded(found.rate), mean_velocity_std: rounded(found.sigma) };
  return { ...first, attributes, dates, displacement, fit: null };
}
