/** What colours and arrows stand for. */

import { element, get } from "../dom";
import { current, number, say, t, unit } from "../i18n";
import { EQUATOR, metresPerPixel, nice } from "../map/mercator";
import type { Shapes } from "../map/shapes";
import { name } from "../names";
import type { Page } from "../page";
import { colours, levelKey, verdictKey } from "../theme";

const LONGEST = 70; // pixels of an arrow
const ARROW = '<svg height="10" preserveAspectRatio="none" aria-hidden="true"><path d="M0 5h1000"/></svg><i></i>';

export function drawLegend(page: Page, shapes: Shapes): void {
  const blocks = [...keyOfPoints(page), ...keyOfMap(page), ...keysOfArrows(page, shapes), ...keyOfLevels(page, shapes), ...keyOfVerdicts(page, shapes)];
  get("legend").hidden = !blocks.length;
  get("legend").replaceChildren(...blocks);
}

function keyOfPoints(page: Page): HTMLElement[] {
  const components = new Set(page.shown("points").map((layer) => layer.component));
  if (!components.size) return [];
  const field = page.catalog.fields[page.state.field];
  const signs = field.centred && components.size === 1 ? say(`sign-${[...components][0]}`) : "";
  return bar(field.label[current()], unit(field.unit), page.scale.stops, [page.state.low, page.state.high], signs);
}

/** Of the uppermost map. */
function keyOfMap(page: Page): HTMLElement[] {
  const layer = page.shown("map").at(-1);
  if (!layer) return [];
  const component = page.state.components.get(layer.id)!;
  const long = component === "magnitude";
  return bar(say(component), unit(layer.unit ?? "m"), page.catalog.palettes[long ? "viridis" : "motion"], layer.fields![component], long ? "" : say(`sign-${component}`));
}

/** A round value of each kind of arrows in view, and its length in pixels. */
function keysOfArrows(page: Page, shapes: Shapes): HTMLElement[] {
  const degreesPerPixel = (metresPerPixel(page.view.camera()) / EQUATOR) * 360;
  return shapes.arrows().map(({ layer, scale }) => {
    const over = layer.kind === "map";
    const value = nice((LONGEST * degreesPerPixel) / scale);
    const shaft = element("span", { class: over ? "arrow pale" : "arrow", html: ARROW });
    shaft.querySelector("svg")!.style.width = `${(value * scale) / degreesPerPixel}px`;
    const text = `${number(value, value < 1 ? Math.ceil(-Math.log10(value)) : 0)} ${unit(over ? (layer.unit ?? "m") : "mm/yr")}`;
    return element("div", { class: "arrows" }, shaft, element("span", { text }), element("span", { class: "quiet", text: over ? t("arrows") : name(layer) }));
  });
}

/** Of the verdicts that are on the map. */
function keyOfVerdicts(page: Page, shapes: Shapes): HTMLElement[] {
  const found = new Set(page.shown("features").flatMap((layer) => shapes.of(layer).map(({ properties }) => String(properties?.verdict))));
  return keys(t("verdicts"), Object.keys(colours().verdicts).filter((verdict) => found.has(verdict)).map((verdict) => [say(`verdict-${verdict}`), verdictKey(verdict)]));
}

function keyOfLevels(page: Page, shapes: Shapes): HTMLElement[] {
  const found = page.shown("features").some((layer) => shapes.of(layer).some(({ properties }) => String(properties?.level) in colours().levels));
  if (!found) return [];
  return keys(t("levels"), Object.keys(colours().levels).map((level) => [say(`level-${level}`), levelKey(level)]));
}

function keys(title: string, entries: [string, string][]): HTMLElement[] {
  if (!entries.length) return [];
  const made = entries.map(([text, colour]) => {
    const key = element("span", { text });
    key.style.setProperty("--key", colour);
    return key;
  });
  return [element("figcaption", {}, element("b", { text: title })), element("div", { class: "levels" }, ...made)];
}

/** A bar of colours with numbers; what lies beyond its ends has their colours. */
function bar(title: string, units: string, stops: string[], [low, high]: [number, number], signs: string): HTMLElement[] {
  const strip = element("div", { class: "bar" });
  strip.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const digits = Math.max(1, Math.min(4, 1 - Math.floor(Math.log10(high - low))));
  const write = (value: number): string => number(value, Number.isInteger(value) ? 0 : digits);
  const ends = [low === 0 ? write(low) : `≤ ${write(low)}`, write((low + high) / 2), `≥ ${write(high)}`].map((text) => element("span", { text }));
  const heading = element("figcaption", {}, element("b", { text: title }), element("span", { text: ` ${units}` }));
  const made: HTMLElement[] = [heading, strip, element("div", { class: "ends" }, ...ends)];
  if (signs) made.push(element("div", { class: "ends signs" }, ...signs.split("|").map((text, i) => element("span", { text: i ? `${text} →` : `← ${text}` }))));
  return made;
}
