/** What is known of lines and areas: spans of assets, assets, and any others. */

import { element } from "../dom";
import { number, say, t, unit } from "../i18n";
import { isVerdict, moves } from "../map/color";
import { verdictKey } from "../theme";

export type Properties = Record<string, unknown>;

const UNITS: Record<string, string> = {
  motion: "mm/yr", motion_bound: "mm/yr", velocity: "mm/yr", velocity_detectable: "mm/yr", reference: "mm/yr", differential: "mm/yr", mean_velocity: "mm/yr",
  peak_velocity: "mm/yr", distortion: "mrad", distortion_rate: "mrad/yr", distortion_detectable: "mrad", acceleration: "mm/yr²", acceleration_detectable: "mm/yr²",
  seasonality: "mm", length: "m", width: "m", from: "m", to: "m", along: "m", distortion_along: "m", change_along: "m", area_m2: "m²",
};
const SPOKEN = ["said", "verdict", "span", "name"];
const SIGMA = /_(sigma|std)$/;

/** Name of a feature, and which part of it this is; else that of its layer. */
export function spanName(properties: Properties, layer: string): string {
  const { name, id, segment, segments, span } = properties;
  const whole = String(name || id || layer);
  return segment === undefined || segments === 1 ? whole : `${whole} · ${t(span ? "span" : "segment")} ${segment} / ${segments}`;
}

/** What a span does, with how sure that is. */
export function sentence({ verdict, motion, motion_sigma, motion_bound, points }: Properties): string {
  const word = say(`verdict-${verdict}`);
  const units = unit("mm/yr");
  if (moves(verdict)) return `${word} ${t("by")} ${number(Math.abs(Number(motion)))} ± ${number(Number(motion_sigma))} ${units}`;
  if (verdict === "does not move") return `${word} ${t("by-more-than")} ${number(Number(motion_bound))} ${units}`;
  return verdict === "unclear" ? `${word} : ${number(Number(motion))} ± ${number(Number(motion_sigma))} ${units}`.replace(" :", ":") : `${word} (${points})`;
}

/** The sentence, large and with its colour; null if nothing was judged. */
export function judged(properties: Properties): HTMLElement | null {
  if (!isVerdict(properties.verdict)) return null;
  const said = element("p", { class: "verdict", text: sentence(properties) });
  said.style.setProperty("--key", verdictKey(String(properties.verdict)));
  return said;
}

/** Rows of a list: each value with its unit, and its sigma beside it. */
export function rows(properties: Properties): string[][] {
  return Object.entries(properties)
    .filter(([key]) => key !== "motion_bound" || !moves(properties.verdict))
    .filter(([key]) => !key.startsWith("change_") || Number(properties.change_chance) < 0.05)
    .filter(([key, value]) => !SPOKEN.includes(key) && !SIGMA.test(key) && value !== null && value !== "")
    .map(([key, value]) => [say(`p-${key}`).replace(/^p-/, ""), text(key, value, properties[`${key}_sigma`] ?? properties[`${key}_std`], properties)]);
}

function text(key: string, value: unknown, sigma: unknown, all: Properties): string {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value !== "number") return say(`${key}-${value}`).replace(`${key}-`, "");
  if (/(^|_)chance$/.test(key)) return chance(value);
  const digits = Number.isInteger(value) ? 0 : decimals(value, typeof sigma === "number" ? sigma : value);
  const units = key === "change_size" ? (all.change_kind === "bend" ? "mm/yr" : "mm") : (UNITS[key] ?? "");
  return `${number(value, digits)}${typeof sigma === "number" ? ` ± ${number(sigma, digits)}` : ""} ${unit(units)}`.trim();
}

/** So many that two digits of a sigma, or three of a value, are seen; six at most. */
function decimals(value: number, sigma: number): number {
  const size = Math.abs(sigma === value ? value / 10 : sigma) || 1;
  return Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(size))));
}

function chance(value: number): string {
  if (value < 1e-6) return t("one-in-million");
  return value < 0.05 ? `${t("one-in")} ${number(1 / value, 0)}` : `${number(100 * Math.min(value, 1), 0)} %`;
}
