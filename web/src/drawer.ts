/** What is below the map: series of points, statistics of an area, a profile. */

import type { AreaRecord, Catalog, PointRecord, ProfileRecord } from "./api";
import { distributionChart, letter, meanChart, profileChart, seriesChart } from "./charts";
import { SERIES } from "./color";
import { number, say, t, unit, whole } from "./i18n";

const drawer = document.getElementById("drawer")!;
const title = document.getElementById("drawer-title")!;
const actions = document.getElementById("drawer-actions")!;
const body = document.getElementById("drawer-body")!;

export const HEIGHT = 296;

const UNITS: Record<string, string> = {
  mean_velocity: "mm/yr", mean_velocity_std: "mm/yr", calibration_std: "mm/yr", acceleration: "mm/yr²", acceleration_std: "mm/yr²",
  seasonality: "mm", seasonality_std: "mm", rmse: "mm", height: "m", height_wgs84: "m", easting: "m", northing: "m",
  latitude: "°", longitude: "°", incidence_angle: "°", track_angle: "°", mp_type: "m²", gnss_velocity: "mm/yr",
  gnss_velocity_n: "mm/yr", gnss_velocity_e: "mm/yr", gnss_velocity_u: "mm/yr",
};
const DIGITS: Record<string, number> = { latitude: 6, longitude: 6, acceleration: 2, acceleration_std: 2, temporal_coherence: 2, amplitude_dispersion: 2, los_east: 3, los_north: 3, los_up: 3, incidence_angle: 2, track_angle: 2, line: 0, pixel: 0, mp_type: 0, cluster_label: 0 };

const FIRST = ["acceleration", "acceleration_std", "seasonality", "seasonality_std", "rmse", "temporal_coherence", "height"];

export function close(): void {
  drawer.hidden = true;
  body.replaceChildren();
  actions.replaceChildren();
}

export const isOpen = (): boolean => !drawer.hidden;

function open(heading: string, ...nodes: Node[]): void {
  title.textContent = heading;
  actions.replaceChildren();
  body.replaceChildren(...nodes);
  drawer.hidden = false;
}

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, options: { class?: string; text?: string; html?: string } = {}, ...children: Node[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (options.class) made.className = options.class;
  if (options.text !== undefined) made.textContent = options.text;
  if (options.html !== undefined) made.innerHTML = options.html;
  made.append(...children);
  return made;
}

/** Level, direction and track of a point. */
export function describe(record: { level?: string; component?: string; track?: number | null }): string {
  const track = record.track === null || record.track === undefined ? "" : ` · ${t("track")} ${record.track}`;
  return `${record.level} ${say(record.component ?? "")}${track}`;
}

export function showPoints(records: PointRecord[], remove: (index: number) => void): void {
  const chart = element("div", { class: "chart", });
  chart.id = "series";
  const readout = element("output", { class: "readout" });
  const side = element("div", { class: "facts" });
  open(records.length === 1 ? String(records[0].attributes.pid) : `${records.length} ${t("points")}`, element("div", { class: "plot" }, readout, chart), side);
  side.append(records.length === 1 ? facts(records[0]) : comparison(records, remove));
  seriesChart(chart, records, (text) => (readout.textContent = text));
  const first = records[0];
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `${t("displacement")}: ${records.map((r) => `${r.attributes.pid}, ${number(r.attributes.mean_velocity as number)} ${unit("mm/yr")}`).join("; ")}; ${first.dates[0]} – ${first.dates[first.dates.length - 1]}`);
}

function facts(record: PointRecord): HTMLElement {
  const a = record.attributes as Record<string, number | null>;
  const big = element("p", { class: "big" });
  big.append(
    element("strong", { text: number(a.mean_velocity) }),
    element("span", { text: ` ± ${number(a.mean_velocity_std)} ${unit("mm/yr")}` }),
  );
  const list = element("dl");
  const names = [...FIRST, ...Object.keys(record.attributes).filter((each) => !FIRST.includes(each))];
  for (const name of names) {
    const value = record.attributes[name];
    if (value === null || value === undefined || name === "pid") continue;
    const text = typeof value === "number" ? `${number(value, DIGITS[name] ?? 1)} ${unit(UNITS[name] ?? "")}` : value;
    list.append(element("dt", { text: name }), element("dd", { text }));
  }
  return element("div", {}, big, element("p", { class: "quiet", text: describe(record) }), list);
}

function comparison(records: PointRecord[], remove: (index: number) => void): HTMLElement {
  const head = element("tr", {}, ...["", "pid", "", unit("mm/yr"), "±", "rmse", ""].map((text) => element("th", { text })));
  const rows = records.map((record, i) => {
    const a = record.attributes as Record<string, number>;
    const button = element("button", { class: "ghost", text: "✕" });
    button.setAttribute("aria-label", `${t("close")} ${letter(i)}`);
    button.addEventListener("click", () => remove(i));
    const badge = element("span", { class: "badge", text: letter(i) });
    badge.style.background = SERIES[i % SERIES.length];
    return element(
      "tr", {}, element("td", {}, badge), element("td", { text: String(record.attributes.pid) }), element("td", { class: "quiet", text: describe(record) }),
      element("td", { class: "figure", text: number(a.mean_velocity) }), element("td", { class: "figure", text: number(a.mean_velocity_std) }),
      element("td", { class: "figure", text: number(a.rmse) }), element("td", {}, button),
    );
  });
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

export function showArea(area: AreaRecord, catalog: Catalog, field: string, language: string, name: string, take: (format: string) => void): void {
  const label = catalog.fields[field].label[language];
  if (!area.points) {
    open(t("area"), element("p", { class: "empty", text: t("no-points") }));
    return;
  }
  const series = element("div", { class: "chart" });
  const bars = element("div", { class: "chart" });
  const list = element("dl", { class: "wide" });
  const u = unit(area.unit);
  const p = area.percentiles;
  for (const [key, value] of [
    [t("count"), whole(area.points)],
    [t("mean"), `${number(area.mean, 2)} ${u}`],
    [t("median"), `${number(p["50"], 2)} ${u}`],
    [t("spread"), `${number(area.std, 2)} ${u}`],
    [t("middle"), `${number(p["5"], 1)} … ${number(p["95"], 1)} ${u}`],
    [t("extremes"), `${number(area.minimum, 1)} … ${number(area.maximum, 1)} ${u}`],
  ]) list.append(element("dt", { text: key }), element("dd", { text: value }));
  open(
    `${t("area")} · ${label}`,
    element("div", { class: "plot" }, element("h3", { text: t("mean-series") }), series),
    element("div", { class: "plot small" }, element("h3", { text: t("distribution") }), bars),
    element("div", { class: "facts" }, element("p", { class: "quiet", text: name }), list, element("p", { class: "quiet", text: t("uncertain") })),
  );
  meanChart(series, area);
  distributionChart(bars, area, label);
  actions.append(element("span", { class: "quiet", text: t("download") }));
  for (const format of ["csv", "geojson", "parquet"]) {
    const button = element("button", { class: "small", text: { csv: "CSV", geojson: "GeoJSON", parquet: "GeoParquet" }[format] });
    button.id = `take-${format}`;
    button.addEventListener("click", () => take(format));
    actions.append(button);
  }
}

export function showProfile(record: ProfileRecord, label: string, name: string): void {
  if (!record.distance.length) {
    open(t("profile"), element("p", { class: "empty", text: t("no-points") }));
    return;
  }
  const chart = element("div", { class: "chart" });
  const keys = record.values ? Object.keys(record.values).filter((each) => !each.endsWith("_sigma")) : [];
  const legend = element("p", { class: "keys" });
  keys.forEach((key, i) => {
    const entry = element("span", { text: say(key) });
    entry.style.setProperty("--key", SERIES[i]);
    legend.append(entry);
  });
  open(`${t("profile")} · ${name}`, element("div", { class: "plot" }, legend, chart));
  profileChart(chart, record, label);
  actions.append(element("span", { class: "quiet", text: `${number(record.length, 0)} m${record.points ? ` · ${whole(record.points)} ${t("points")}` : ""}` }));
}

export function showValues(heading: string, values: Record<string, { value: number | string | null; unit: string }>): void {
  const list = element("dl", { class: "wide" });
  for (const [name, { value, unit: units }] of Object.entries(values)) {
    if (value === null) continue;
    const digits = typeof value === "number" && !Number.isInteger(value) ? Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(Math.abs(value) || 1)))) : 0;
    list.append(element("dt", { text: name }), element("dd", { text: typeof value === "number" ? `${number(value, digits)} ${unit(units)}` : String(value) }));
  }
  open(heading, element("div", { class: "facts alone" }, list));
}
