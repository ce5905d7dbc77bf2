/** Light or dark: what the system prefers, until the switch says otherwise. All colours are those of palette.json. */

import palette from "./palette.json";

export type Theme = "light" | "dark";

export interface Colours {
  page: Record<string, string>; // properties of the style sheet
  ground: { sea: string; land: string; border: string; coast: string };
  chart: { text: string; grid: string; tick: string; bar: string; outside: string; cap: string };
  points: { edge: string; strength: number; pale: string }; // pale: cells whose value is not known
  relief: number; // light of what lies square to the sun, 1 is white
  lines: { stations: string; features: string; drawn: string; edge: string };
  series: string[]; // distinct for the colour-blind (after Okabe and Ito, 2008)
  verdicts: Record<string, string>; // of spans and segments of assets: red is down, away or west, blue the opposite
  levels: Record<string, string>; // of alert of assets
}

const COLOURS: Record<Theme, Colours> = palette;
const KEY = "groundshift-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

let taking = false;
let changed = (): void => {};

/** The document knows it, so that both scripts of the page do. */
export const isDark = (): boolean => !taking && document.documentElement.dataset.theme === "dark";
export const colours = (): Colours => COLOURS[isDark() ? "dark" : "light"];

/** For elements: properties of the style sheet, so that they change with the page. */
export const seriesKey = (i: number): string => `var(--series-${i % palette.light.series.length})`;
export const verdictKey = (verdict: string): string => `var(--${slug(verdict)})`;
export const levelKey = (level: string): string => `var(--level-${slug(level)})`;

/** Wear what was chosen, or what the system prefers, now and when that changes. */
export function dress(): void {
  wear(chosen() ?? preferred());
  system.addEventListener("change", () => chosen() === null && wear(preferred()));
}

/** Be told when the page wears other colours. */
export function onDress(told: () => void): void {
  changed = told;
}

/** Change, and remember it; what the system prefers too need not be remembered, and is followed again. */
export function toggle(): void {
  const wanted = isDark() ? "light" : "dark";
  remember(wanted === preferred() ? null : wanted);
  wear(wanted);
}

/** Do something in light colours, for what is taken away, whatever the page wears. */
export async function inLight(act: () => Promise<void>): Promise<void> {
  taking = true;
  try {
    await act();
  } finally {
    taking = false;
  }
}

function wear(theme: Theme): void {
  const { dataset, style } = document.documentElement;
  dataset.theme = style.colorScheme = theme;
  const { page, ground, series, verdicts, levels } = colours();
  const put = (name: string, colour: string): void => style.setProperty(`--${name}`, colour);
  for (const [name, colour] of Object.entries({ ...page, ...ground })) put(name, colour);
  series.forEach((colour, i) => put(`series-${i}`, colour));
  for (const [verdict, colour] of Object.entries(verdicts)) put(slug(verdict), colour);
  for (const [level, colour] of Object.entries(levels)) put(`level-${slug(level)}`, colour);
  changed();
}

const slug = (text: string): string => text.replaceAll(" ", "-");
const preferred = (): Theme => (system.matches ? "dark" : "light");

function chosen(): Theme | null {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : null;
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(theme: Theme | null): void {
  try {
    if (theme) localStorage.setItem(KEY, theme);
    else localStorage.removeItem(KEY);
  } catch {
    // it is worn until the page is left
  }
}
