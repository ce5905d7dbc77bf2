/** What is below the map: series of points, statistics of an area, a profile, values of a place. */

import type { AreaRecord, PointRecord, ProfileRecord } from "../data/types";
import { element, get } from "../dom";
import { number, say, t, unit, whole } from "../i18n";
import { seriesKey } from "../theme";
import { alongChart, alongTable, alongText } from "./along";
import { distributionChart, letter, meanChart, profileChart, seriesChart, seriesColour, whileLight } from "./charts";
import { differenceOf } from "./difference";
import { comparison, describePoint, facts } from "./facts";
import { type Properties, judged, rows, sentence } from "./features";
import { periodOf } from "./period";
import { trend } from "./trend";
import { type Note, type Table, areaTable, picture, pointTable, profileTable, takeTable } from "./take";

const FORMATS: Record<string, string> = { csv: "CSV", geojson: "GeoJSON", parquet: "GeoParquet" };

let changed: (height: number) => void = () => {};

/** Be told of the pixels that the drawer takes from the map's foot. */
export function watch(told: (height: number) => void): void {
  changed = told;
}

export const isOpen = (): boolean => !get("drawer").hidden;

export function close(): void {
  get("drawer").hidden = true;
  get("drawer-body").replaceChildren();
  get("drawer-actions").replaceChildren();
  changed(0);
}

function open(heading: string, ...nodes: Node[]): void {
  get("drawer-title").textContent = get("drawer-title").title = heading;
  get("drawer-actions").replaceChildren();
  get("drawer-body").replaceChildren(...nodes);
  get("drawer").hidden = false;
  changed(get("drawer").offsetHeight);
}

/** Series of points; `on` is the asset that a single one lies on. */
export function showPoints(records: PointRecord[], remove: (index: number) => void, on: Properties | null): void {
  const chart = element("div", { class: "chart" });
  chart.id = "series";
  const readout = element("output", { class: "readout" });
  const side = element("div", { class: "facts" }, records.length === 1 ? facts(records[0], on) : comparison(records, remove));
  const heading = records.length === 1 ? String(records[0].attributes.pid) : `${records.length} ${t("points")}`;
  const plot = element("div", { class: "plot" });
  open(heading, plot, side);
  let seen = records;
  const draw = (shown: PointRecord[]): void => {
    seen = shown;
    const { row, follow, draw: drawn } = periodOf(shown);
    chart.replaceChildren();
    plot.replaceChildren(row, readout, chart);
    seriesChart(chart, shown, { readout: (text) => (readout.textContent = text), moved: follow, drawn });
    get("drawer-title").textContent = shown === records ? heading : `${t("difference")}: ${shown[0].attributes.pid}`;
    describe(chart, [`${t("displacement")}: ${shown.map(told).join("; ")}`, `${shown[0].dates[0]} – ${shown[0].dates[shown[0].dates.length - 1]}`].join("; "));
  };
  draw(records);
  const apart = records.length === 2 ? differenceOf(records) : null;
  if (apart) {
    const button = action("difference", t("difference"), () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      draw(on ? [apart] : records);
    });
    button.setAttribute("aria-pressed", "false");
  }
  const notes = (): Note[] => [
    ...seen.map((record, i) => ({ text: `${seen.length > 1 ? `${letter(i)} ` : ""}${told(record)} · ${describePoint(record)}`, colour: seriesColour(i) })),
    { text: [...plot.querySelectorAll("input")].map((input) => input.value).join(" – ") + `: ${plot.querySelector(".trends")!.textContent}` },
  ];
  offer(() => (seen === records ? heading : `${t("difference")} ${seen[0].attributes.pid}`), () => pointTable(seen, seen === records ? [] : records), notes);
}

/** Name and velocity of a point. */
const told = ({ attributes: a }: PointRecord): string => `${a.pid}, ${number(a.mean_velocity as number)} ± ${number(a.mean_velocity_std as number)} ${unit("mm/yr")}`;

export function showArea(area: AreaRecord, label: string, layer: string, take: (format: string) => void): void {
  if (!area.points) return open(t("area"), element("p", { class: "empty", text: t("no-points") }));
  const series = element("div", { class: "chart" });
  const bars = element("div", { class: "chart" });
  const u = unit(area.unit);
  const p = area.percentiles;
  const list = definitions([
    [t("count"), whole(area.points)],
    [t("mean"), `${number(area.mean, 2)} ${u}`],
    [t("median"), `${number(p["50"], 2)} ${u}`],
    [t("spread"), `${number(area.std, 2)} ${u}`],
    [t("middle"), `${number(p["5"], 1)} … ${number(p["95"], 1)} ${u}`],
    [t("extremes"), `${number(area.minimum, 1)} … ${number(area.maximum, 1)} ${u}`],
  ]);
  open(
    `${t("area")} · ${label}`,
    element("div", { class: "plot" }, element("h3", { text: `${t("mean-series")}${trendOf(area)}` }), series),
    element("div", { class: "plot small" }, element("h3", { text: t("distribution") }), bars),
    element("div", { class: "facts" }, element("p", { class: "quiet", text: layer }), list, element("p", { class: "quiet", text: t("uncertain") })),
  );
  meanChart(series, area);
  distributionChart(bars, area, label);
  describe(series, t("mean-series"));
  describe(bars, `${t("distribution")}: ${label}, ${t("middle")} ${number(p["5"], 1)} … ${number(p["95"], 1)} ${u}`);
  get("drawer-actions").append(element("span", { class: "quiet", text: t("download") }));
  for (const [format, text] of Object.entries(FORMATS)) action(`take-${format}`, text, () => take(format));
  if (area.series) offer(() => `${t("area")} ${layer}`, () => areaTable(area), () => [{ text: `${t("mean-series")}, ${whole(area.points)} ${t("points")}; ${t("mean")} ${number(area.mean, 2)} ${u}` }], t("take-mean"));
}

/** Of the mean series of an area, with what its own residuals say of it. */
function trendOf({ series }: AreaRecord): string {
  const found = series && trend(series.dates.map((date) => Date.parse(date) / 1000), series.mean, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  return found ? `: ${number(found.rate)} ± ${number(found.sigma)} ${unit("mm/yr")}` : "";
}

/** `at` hears of the share of the line that the mouse is at in the chart. */
export function showProfile(record: ProfileRecord, label: string, layer: string, at: (share: number | null) => void): void {
  if (!record.distance.length) return open(t("profile"), element("p", { class: "empty", text: t("no-points") }));
  const chart = element("div", { class: "chart" });
  const keys = record.values ? Object.keys(record.values).filter((each) => !each.endsWith("_sigma")) : [];
  const legend = element("p", { class: "keys" });
  keys.forEach((key, i) => {
    const entry = element("span", { text: say(key) });
    entry.style.setProperty("--key", seriesKey(i));
    legend.append(entry);
  });
  const heading = `${t("profile")} · ${layer}`;
  const readout = element("output", { class: "readout" });
  open(heading, element("div", { class: "plot" }, legend, readout, chart));
  profileChart(chart, record, label, (distance, text) => {
    readout.textContent = text;
    at(distance === null ? null : distance / record.length);
  });
  const extent = `${number(record.length, 0)} m${record.points ? ` · ${whole(record.points)} ${t("points")}` : ""}`;
  describe(chart, `${heading}: ${label}, ${extent}`);
  get("drawer-actions").append(element("span", { class: "quiet", text: extent }));
  offer(() => heading, () => profileTable(record, label), () => (keys.length ? keys.map((key, i) => ({ text: say(key), colour: seriesColour(i) })) : [{ text: `${label}, ${extent}` }]));
}

export type Values = Record<string, { value: number | string | null; unit: string }>;

export function showValues(heading: string, values: Values): void {
  const known = Object.entries(values).filter(([, { value }]) => value !== null);
  const list = definitions(known.map(([name, { value, unit: units }]) => [name, typeof value === "number" ? `${number(value, digits(value))} ${unit(units)}` : String(value)]));
  open(heading, element("div", { class: "facts alone" }, known.length ? list : element("p", { class: "empty", text: t("no-value") })));
}

/** Parts of an asset, which of them is shown, and who hears of another that is chosen. */
export interface Parts {
  all: Properties[];
  shown: number;
  choose: (part: number) => void;
}

/** What is known of a line or area, and the values of a map there; of a part of an asset, what all of them do. */
export function showFeature(heading: string, properties: Properties, values: Values, parts: Parts | null, series: (() => void) | null): void {
  const said = judged(properties);
  const more = Object.entries(values).filter(([, { value }]) => value !== null).map(([name, { value, unit: units }]) => [name, typeof value === "number" ? `${number(value, digits(value))} ${unit(units)}` : String(value)]);
  const nodes = said ? [said, element("p", { class: "quiet", text: t("verdict-note") })] : [];
  const known = element("div", { class: parts ? "facts" : "facts alone" }, ...nodes, definitions([...rows(properties), ...more]));
  if (!parts) {
    open(heading, known);
    if (series) action("take-series", t("series-near"), series);
    return;
  }
  const chart = element("div", { class: "chart" });
  const readout = element("output", { class: "readout" });
  const title = `${t("along")} ${String(properties.name || properties.id)}`;
  open(heading, element("div", { class: "plot" }, element("h3", { text: `${title}, ${t("along-note")}` }), readout, chart), known);
  alongChart(chart, parts.all, parts.shown, (text) => (readout.textContent = text), parts.choose);
  describe(chart, `${title}. ${alongText(parts.all)}`);
  if (series) action("take-series", t("series-near"), series);
  offer(() => title, () => alongTable(parts.all), () => [{ text: t("verdict-note") }, { text: `${heading}: ${sentence(properties)}` }]);
}

/** Four that count, and no more than six behind the point. */
const digits = (value: number): number => (Number.isInteger(value) ? 0 : Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(Math.abs(value) || 1)))));

function definitions(rows: string[][]): HTMLElement {
  return element("dl", { class: "wide" }, ...rows.flatMap(([key, text]) => [element("dt", { text: key }), element("dd", { text })]));
}

function describe(chart: HTMLElement, text: string): void {
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", text);
}

function action(id: string, text: string, act: () => void): HTMLElement {
  const button = element("button", { class: "small", text });
  button.id = id;
  button.addEventListener("click", act);
  get("drawer-actions").append(button);
  return button;
}

/** Buttons for what the chart shows, as numbers and as a picture. */
function offer(heading: () => string, table: () => Table, notes: () => Note[], values = t("take-values")): void {
  action("take-values", values, () => takeTable(heading(), table()));
  action("take-picture", t("take-picture"), () => whileLight(() => picture(heading(), notes(), get("drawer-body"))));
}
