/** Charts: series of points, distributions, profiles. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { AreaRecord, PointRecord, ProfileRecord } from "../data/types";
import { current, number, plain, say, t, unit } from "../i18n";
import { colours, inLight } from "../theme";

const FONT = "11px system-ui, sans-serif";
const GRID = { stroke: () => colours().chart.grid, width: 1 };
const TICKS = { stroke: () => colours().chart.tick, width: 1, size: 4 };
export const axis = (label?: string, size = 46): uPlot.Axis => ({ stroke: () => colours().chart.text, font: FONT, grid: GRID, ticks: TICKS, label, labelFont: FONT, labelSize: 16, size, values: (_, splits) => splits.map(plain) });

const seconds = (date: string): number => Date.parse(date) / 1000;
const YEAR = 365 * 86400;

/** The model of a point at times in seconds: cubic and yearly season. */
export function model(record: PointRecord, times: number[]): (number | null)[] {
  const fit = record.fit;
  if (!fit) return times.map(() => null);
  const first = seconds(record.dates[0]);
  const last = seconds(record.dates[record.dates.length - 1]);
  const [c0, c1, cc, cs, c2, c3] = fit.coefficients;
  return times.map((time) => {
    if (time < first || time > last) return null;
    const y = (time - first) / YEAR;
    return c0 + c1 * y + cc * Math.cos(2 * Math.PI * y) + cs * Math.sin(2 * Math.PI * y) + (c2 * y * y) / 2 + c3 * y ** 3;
  });
}

const localDate = (): uPlot.Options["tzDate"] => (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC");

function dates(): uPlot.Axis {
  return {
    ...axis(undefined, 28),
    values: (_, splits, __, ___, step) =>
      splits.map((time, i) => {
        const day = new Date(time * 1000);
        const year = i === 0 || new Date(splits[i - 1] * 1000).getUTCFullYear() !== day.getUTCFullYear() ? "numeric" : undefined;
        if (step >= 300 * 86400) return day.toLocaleDateString(current(), { year: "numeric", timeZone: "UTC" });
        return day.toLocaleDateString(current(), { day: step < 28 * 86400 ? "numeric" : undefined, month: "short", year, timeZone: "UTC" });
      }),
  };
}

/** Colour of a series; charts ask for it when they draw. */
export const seriesColour = (i: number): string => colours().series[i % colours().series.length];

const placed = new Set<uPlot>();

/** Draw all charts again, in the colours of now. */
export async function redraw(): Promise<void> {
  for (const chart of placed) {
    if (chart.root.isConnected) chart.redraw(false);
    else placed.delete(chart);
  }
  await null; // they draw when this task is done
}

/** Do something while all charts are drawn in light colours; nobody sees them so. */
export async function whileLight(act: () => void): Promise<void> {
  await inLight(async () => {
    await redraw();
    act();
  });
  await redraw();
}

export function place(host: HTMLElement, options: Omit<uPlot.Options, "width" | "height">, data: uPlot.AlignedData): uPlot {
  const size = (): { width: number; height: number } => ({ width: Math.max(160, host.clientWidth), height: Math.max(120, host.clientHeight) });
  const chart = new uPlot({ ...options, ...size(), legend: { show: false }, cursor: { drag: { x: true, y: false }, points: { size: 6 } } } as uPlot.Options, data, host);
  const watch = new ResizeObserver(() => {
    if (host.isConnected) chart.setSize(size());
    else watch.disconnect();
  });
  watch.observe(host);
  placed.add(chart);
  return chart;
}

/** What goes with a chart of series: its readout, and who follows its period and draws over it. */
export interface Followers {
  readout: (text: string) => void;
  moved: (chart: uPlot) => void;
  drawn: (chart: uPlot) => void;
}

/** Series of points: dots, their models, and for a single point the band of one standard deviation of the residuals. */
export function seriesChart(host: HTMLElement, records: PointRecord[], { readout, moved, drawn }: Followers): uPlot {
  const tables: uPlot.AlignedData[] = records.map((record) => [record.dates.map(seconds), record.displacement as number[]]);
  const joined = tables.length > 1 ? uPlot.join(tables) : tables[0];
  const times = joined[0] as number[];
  const data: (number | null | undefined)[][] = [times];
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  records.forEach((record, i) => {
    const colour = (): string => seriesColour(i);
    const fitted = model(record, times);
    if (records.length === 1 && record.fit) {
      const rmse = record.fit.rmse;
      data.push(fitted.map((v) => (v === null ? null : v + rmse)), fitted.map((v) => (v === null ? null : v - rmse)));
      series.push({ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } });
      bands.push({ series: [1, 2], fill: () => `${colour()}22` });
    }
    data.push(fitted, joined[i + 1] as (number | null)[]);
    series.push({ stroke: colour, width: 1.8, points: { show: false }, spanGaps: true });
    series.push({ stroke: colour, width: 0, paths: () => null, points: { show: true, size: records.length > 3 ? 3.5 : 4.5, fill: colour, stroke: colour, width: 0 } });
  });
  const step = records.length === 1 && records[0].fit ? 4 : 2;
  return place(
    host,
    {
      tzDate: localDate(),
      series,
      bands,
      axes: [dates(), axis(t("displacement"), 44)],
      hooks: {
        setScale: [(chart, scale) => scale === "x" && moved(chart)],
        draw: [drawn],
        setCursor: [
          (chart) => {
            const i = chart.cursor.idx;
            if (i === null || i === undefined) return readout("");
            const day = new Date(times[i] * 1000).toLocaleDateString(current(), { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
            const values = records.map((_, k) => `${records.length > 1 ? `${letter(k)} ` : ""}${number(data[step === 4 ? 4 : 2 * k + 2][i] as number)} mm`);
            readout(`${day} · ${values.join(" · ")}`);
          },
        ],
      },
    },
    data as uPlot.AlignedData,
  );
}

export const letter = (i: number): string => String.fromCharCode(65 + i);

export function meanChart(host: HTMLElement, area: AreaRecord): void {
  if (!area.series) return;
  place(
    host,
    {
      tzDate: localDate(),
      series: [{}, { stroke: () => seriesColour(0), width: 1.6, points: { show: true, size: 4, fill: () => seriesColour(0) }, spanGaps: true }],
      axes: [dates(), axis(t("displacement"), 44)],
    },
    [area.series.dates.map(seconds), area.series.mean as number[]],
  );
}

export function distributionChart(host: HTMLElement, area: AreaRecord, label: string): void {
  const { counts, edges } = area.histogram;
  const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2);
  place(
    host,
    {
      scales: { x: { time: false }, y: { range: (_, __, high) => [0, high * 1.05] } },
      series: [{}, { stroke: () => seriesColour(0), fill: () => `${seriesColour(0)}55`, width: 1, paths: uPlot.paths.bars!({ size: [0.95, Infinity] }), points: { show: false } }],
      axes: [axis(`${label}${area.unit ? `, ${unit(area.unit)}` : ""}`, 30), axis(t("count"), 46)],
    },
    [middles, counts],
  );
}

/** A line of one standard deviation to both sides of each value, below the values. */
function whiskers(chart: uPlot, { distance, value, sigma }: ProfileRecord): void {
  if (!sigma) return;
  const pen = chart.ctx;
  pen.save();
  pen.beginPath();
  pen.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
  pen.clip();
  pen.beginPath();
  value!.forEach((each, i) => {
    const spread = sigma[i];
    if (each === null || spread === null) return;
    const x = chart.valToPos(distance[i], "x", true);
    pen.moveTo(x, chart.valToPos(each - spread, "y", true));
    pen.lineTo(x, chart.valToPos(each + spread, "y", true));
  });
  pen.strokeStyle = `${seriesColour(0)}66`;
  pen.lineWidth = devicePixelRatio;
  pen.stroke();
  pen.restore();
}

/** Values along a line; `told` hears of the place under the mouse: how far along, and what is there. */
export function profileChart(host: HTMLElement, record: ProfileRecord, label: string, told: (distance: number | null, text: string) => void): void {
  const shown = record.value ? { "": record.value } : Object.fromEntries(Object.entries(record.values!).filter(([name]) => !name.endsWith("_sigma")));
  const cursor = (chart: uPlot): void => {
    const i = chart.cursor.idx ?? null;
    if (i === null || chart.cursor.left! < 0) return told(null, "");
    const sigmaOf = (name: string): (number | null)[] | undefined => (name ? record.values![`${name}_sigma`] : record.sigma);
    const spread = (name: string): string => (typeof sigmaOf(name)?.[i] === "number" ? ` ± ${number(sigmaOf(name)![i], 2)}` : "");
    const texts = Object.entries(shown).map(([name, values]) => `${name && `${say(name)} `}${number(values[i], 2)}${spread(name)}`);
    told(record.distance[i], `${number(record.distance[i], 0)} m · ${texts.join(" · ")} ${unit(record.unit)}`);
  };
  const hooks = { setCursor: [cursor] };
  const axes = [axis(t("distance"), 30), axis([label, unit(record.unit)].filter(Boolean).join(", "), 46)];
  const scales = { x: { time: false, range: [0, record.length] as uPlot.Range.MinMax } };
  if (record.value) {
    const dots: uPlot.Series = { stroke: () => seriesColour(0), width: 0, paths: () => null, points: { show: true, size: 4, fill: () => `${seriesColour(0)}aa`, stroke: "transparent", width: 0 } };
    place(host, { scales, axes, hooks: { ...hooks, drawAxes: [(chart) => whiskers(chart, record)] }, series: [{}, dots] }, [record.distance, record.value as number[]]);
    return;
  }
  const names = Object.keys(record.values!).filter((name) => !name.endsWith("_sigma"));
  const data: (number | null)[][] = [record.distance];
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  names.forEach((name, i) => {
    const colour = (): string => seriesColour(i);
    const values = record.values![name];
    const sigma = record.values![`${name}_sigma`] ?? values.map(() => 0);
    const shift = (sign: number): (number | null)[] => values.map((v, k) => (v === null || sigma[k] === null ? null : v + sign * sigma[k]!));
    data.push(shift(1), shift(-1), values);
    series.push({ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } }, { label: name, stroke: colour, width: 1.8, points: { show: false } });
    bands.push({ series: [3 * i + 1, 3 * i + 2], fill: () => `${colour()}26` });
  });
  place(host, { scales, axes, hooks, series, bands }, data as uPlot.AlignedData);
}
