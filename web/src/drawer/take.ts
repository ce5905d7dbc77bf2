/** What charts show, to take away: numbers as CSV, the chart as a picture. No server is asked. */

import type { AreaRecord, PointRecord, ProfileRecord } from "../data/types";
import { save } from "../dom";
import { colours } from "../theme";
import { letter, model } from "./charts";

/** A line above a chart that is taken away. */
export interface Note {
  text: string;
  colour?: string;
}

export interface Table {
  about: string[];
  columns: Record<string, (number | string | null)[]>;
}

/** Series with their models; the first columns are those of the first point. A difference is `of` two. */
export function pointTable(records: PointRecord[], of: PointRecord[] = []): Table {
  const dates = [...new Set(records.flatMap((record) => record.dates))].sort();
  const times = dates.map((date) => Date.parse(date) / 1000);
  const columns: Table["columns"] = { date: dates };
  const about: string[] = [];
  records.forEach((record, i) => {
    const { attributes: a, level, component, track, longitude, latitude } = record;
    const prefix = records.length > 1 ? `${letter(i)}_` : "";
    const values = new Map(record.dates.map((date, k) => [date, record.displacement[k]]));
    columns[`${prefix}displacement_mm`] = dates.map((date) => values.get(date) ?? null);
    if (record.fit) columns[`${prefix}model_mm`] = model(record, times).map((value) => (value === null ? null : Math.round(1000 * value) / 1000));
    const source = `${level} ${component}${track === null ? "" : ` track ${track}`}`;
    const where = of.length ? "A - B" : `longitude ${longitude.toFixed(6)}, latitude ${latitude.toFixed(6)}`;
    about.push(`${prefix.replace("_", ": ")}${a.pid}, ${source}, ${where}, velocity ${rounded(a.mean_velocity)} +- ${rounded(a.mean_velocity_std)} mm/yr`);
  });
  return { about: [...about, ...pointTableOf(of)], columns };
}

/** Which points a difference is of. */
const pointTableOf = (of: PointRecord[]): string[] => (of.length ? pointTable(of).about : []);

export function areaTable({ series, points }: AreaRecord): Table {
  return { about: [`mean of ${series!.points} of ${points} points`], columns: { date: series!.dates, mean_displacement_mm: series!.mean } };
}

export function profileTable(record: ProfileRecord, label: string): Table {
  const columns: Table["columns"] = { distance_m: record.distance };
  if (record.value) columns.value = record.value;
  if (record.sigma) columns.sigma = record.sigma;
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

/** Save the charts in a box as a PNG, side by side below their heading, what they show, and above who made it. */
export function picture(heading: string, notes: Note[], box: HTMLElement): void {
  const charts = [...box.querySelectorAll("canvas")];
  if (!charts.length) return;
  const ratio = window.devicePixelRatio || 1;
  const [margin, line] = [12 * ratio, 17 * ratio];
  const credit = document.querySelector(".maplibregl-ctrl-attrib-inner, .flat-credit")?.textContent?.replace(/ · Natural Earth$|^Natural Earth$/, "") ?? "";
  const head = 38 * ratio + notes.length * line;
  const canvas = document.createElement("canvas");
  canvas.width = charts.reduce((sum, each) => sum + each.width + margin, margin);
  canvas.height = Math.max(...charts.map((each) => each.height)) + head + margin + (credit ? line : 0);
  const pen = canvas.getContext("2d")!;
  const { page, chart } = colours();
  pen.fillStyle = page.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = page.ink;
  pen.font = `600 ${14 * ratio}px system-ui, sans-serif`;
  pen.fillText(heading, margin, 22 * ratio, canvas.width - 2 * margin);
  pen.font = `${12 * ratio}px system-ui, sans-serif`;
  notes.forEach(({ text, colour }, i) => {
    pen.fillStyle = colour ?? chart.text;
    pen.fillText(text, margin, 34 * ratio + (i + 0.5) * line, canvas.width - 2 * margin);
  });
  if (credit) {
    pen.fillStyle = chart.text;
    pen.font = `${10 * ratio}px system-ui, sans-serif`;
    pen.fillText(credit, margin, canvas.height - margin * 0.8, canvas.width - 2 * margin);
  }
  let left = margin;
  for (const each of charts) {
    pen.drawImage(each, left, head);
    left += each.width + margin;
  }
  canvas.toBlob((file) => file && save(file, `${fileName(heading)}.png`));
}

/** Without the digits that single precision adds. */
const rounded = (value: number | string | null | undefined): string => (typeof value === "number" ? String(Number(value.toPrecision(6))) : "?");

const fileName = (text: string): string => text.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "groundshift";
