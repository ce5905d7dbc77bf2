/** What charts show, to take away: numbers as CSV, the chart as a picture. No server is asked. */

import type { AreaRecord, PointRecord, ProfileRecord } from "../data/types";
import { save } from "../dom";
import { letter, model } from "./charts";

export interface Table {
  about: string[];
  columns: Record<string, (number | string | null)[]>;
}

/** Series with their models; the first columns are those of the first point. */
export function pointTable(records: PointRecord[]): Table {
  const dates = [...new Set(records.flatMap((record) => record.dates))].sort();
  const times = dates.map((date) => Date.parse(date) / 1000);
  const columns: Table["columns"] = { date: dates };
  const about: string[] = [];
  records.forEach((record, i) => {
    const { attributes: a, level, component, track, longitude, latitude } = record;
    const prefix = records.length > 1 ? `${letter(i)}_` : "";
    const values = new Map(record.dates.map((date, k) => [date, record.displacement[k]]));
    columns[`${prefix}displacement_mm`] = dates.map((date) => values.get(date) ?? null);
    columns[`${prefix}model_mm`] = model(record, times).map((value) => (value === null ? null : Math.round(1000 * value) / 1000));
    const source = `${level} ${component}${track === null ? "" : ` track ${track}`}`;
    about.push(`${prefix.replace("_", ": ")}${a.pid}, ${source}, longitude ${longitude.toFixed(6)}, latitude ${latitude.toFixed(6)}, velocity ${a.mean_velocity ?? "?"} +- ${a.mean_velocity_std ?? "?"} mm/yr`);
  });
  return { about, columns };
}

export function areaTable({ series, points }: AreaRecord): Table {
  return { about: [`mean of ${series!.points} of ${points} points`], columns: { date: series!.dates, mean_displacement_mm: series!.mean } };
}

export function profileTable(record: ProfileRecord, label: string): Table {
  const columns: Table["columns"] = { distance_m: record.distance };
  if (record.value) columns.value = record.value;
  for (const [name, values] of Object.entries(record.values ?? {})) columns[name] = values;
  return { about: [`${label}, ${record.unit || "no unit"}; distance from A, m`], columns };
}

/** Save a table as CSV; what it is stands in lines that begin with #. */
export function takeTable(name: string, { about, columns }: Table): void {
  const rows = Object.values(columns);
  const cell = (value: number | string | null): string => (value === null ? "" : String(value));
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [...about.map((text) => `# ${text}`), Object.keys(columns).map(quoted).join(","), ...rows[0].map((_, i) => rows.map((row) => cell(row[i])).join(","))];
  save(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }), `${fileName(name)}.csv`);
}

/** Save the charts in a box as a PNG, side by side below their heading. */
export function picture(heading: string, box: HTMLElement): void {
  const charts = [...box.querySelectorAll("canvas")];
  if (!charts.length) return;
  const ratio = window.devicePixelRatio || 1;
  const [margin, head] = [12 * ratio, 34 * ratio];
  const canvas = document.createElement("canvas");
  canvas.width = charts.reduce((sum, chart) => sum + chart.width + margin, margin);
  canvas.height = Math.max(...charts.map((chart) => chart.height)) + head + margin;
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#1d2b33";
  pen.font = `600 ${14 * ratio}px system-ui, sans-serif`;
  pen.fillText(heading, margin, head - 12 * ratio);
  let left = margin;
  for (const chart of charts) {
    pen.drawImage(chart, left, head);
    left += chart.width + margin;
  }
  canvas.toBlob((file) => file && save(file, `${fileName(heading)}.png`));
}

const fileName = (text: string): string => text.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "groundshift";
