/** What is known of points, beside their series. */

import type { PointRecord } from "../data/types";
import { element } from "../dom";
import { number, say, t, unit } from "../i18n";
import { seriesKey } from "../theme";
import { letter } from "./charts";
import { type Properties, judged, spanName } from "./features";

const UNITS: Record<string, string> = {
  mean_velocity: "mm/yr", mean_velocity_std: "mm/yr", calibration_std: "mm/yr", absolute_velocity_std: "mm/yr", acceleration: "mm/yr²", acceleration_std: "mm/yr²",
  seasonality: "mm", seasonality_std: "mm", rmse: "mm", height: "m", height_wgs84: "m", easting: "m", northing: "m",
  latitude: "°", longitude: "°", incidence_angle: "°", track_angle: "°", mp_type: "m²", gnss_velocity: "mm/yr",
  gnss_velocity_n: "mm/yr", gnss_velocity_e: "mm/yr", gnss_velocity_u: "mm/yr",
};
const DIGITS: Record<string, number> = { latitude: 6, longitude: 6, acceleration: 2, acceleration_std: 2, temporal_coherence: 2, amplitude_dispersion: 2, los_east: 3, los_north: 3, los_up: 3, incidence_angle: 2, track_angle: 2, line: 0, pixel: 0, mp_type: 0, cluster_label: 0 };

const FIRST = ["acceleration", "acceleration_std", "seasonality", "seasonality_std", "rmse", "temporal_coherence", "height"];

/** Level, direction and track of a point. */
export function describePoint(record: { level?: string; component?: string; track?: number | null }): string {
  const track = record.track === null || record.track === undefined ? "" : ` · ${t("track")} ${record.track}`;
  return `${record.level} ${say(record.component ?? "")}${track}`;
}

/** Velocity, uncertainty and all fields of a point. */
export function facts(record: PointRecord, on: Properties | null): HTMLElement {
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
    if (value === null || value === undefined || name === "pid" || name.startsWith("mean_velocity")) continue;
    const of = name.replace(/_std$/, "");
    if (of !== name && typeof a[of] === "number" && names.includes(of)) continue;
    const digits = DIGITS[name] ?? 1;
    const sigma = typeof a[`${name}_std`] === "number" ? ` ± ${number(a[`${name}_std`], digits)}` : "";
    const text = name === "mp_type" && value === 0 ? t("single") : typeof value === "number" ? `${number(value, digits)}${sigma} ${unit(UNITS[name] ?? "")}` : value;
    const term = element("dt", { text: say(`f-${name}`).replace(/^f-/, "") });
    term.title = name;
    list.append(element("div", {}, term, element("dd", { text })));
  }
  const below = on ? [element("p", { class: "quiet", text: `${t("on")} ${spanName(on, "")}` }), judged(on)!] : [];
  return element("div", {}, big, element("p", { class: "quiet", text: describePoint(record) }), ...below, list);
}

/** A row for each point. */
export function comparison(records: PointRecord[], remove: (index: number) => void): HTMLElement {
  const head = element("tr", {}, ...["", "pid", "", unit("mm/yr"), "±", "rmse, mm", ""].map((text) => element("th", { text })));
  const rows = records.map((record, i) => {
    const a = record.attributes as Record<string, number>;
    const button = element("button", { class: "ghost", text: "✕" });
    button.setAttribute("aria-label", `${t("close")} ${letter(i)}`);
    button.addEventListener("click", () => remove(i));
    const badge = element("span", { class: "badge", text: letter(i) });
    badge.style.background = seriesKey(i);
    return element(
      "tr", {}, element("td", {}, badge), element("td", { text: String(record.attributes.pid) }), element("td", { class: "quiet", text: describePoint(record) }),
      element("td", { class: "figure", text: number(a.mean_velocity) }), element("td", { class: "figure", text: number(a.mean_velocity_std) }),
      element("td", { class: "figure", text: number(a.rmse) }), element("td", {}, button),
    );
  });
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}
