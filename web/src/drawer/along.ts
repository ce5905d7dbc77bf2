/** What the spans or segments of an asset do, along it. */

import type uPlot from "uplot";
import { number, t, unit } from "../i18n";
import { isVerdict } from "../map/color";
import { colours } from "../theme";
import { axis, place } from "./charts";
import { type Properties, sentence, spanName } from "./features";
import type { Table } from "./take";

const EDGE = 1.15; // of the largest motion with two standard deviations, to which the axis reaches
const LEAST = 1; // mm/yr

/** The spans or segments of the asset that one of them is of, along it; none if there is but one. */
export function partsOf(features: GeoJSON.Feature[], { id }: Properties): GeoJSON.Feature[] {
  const parts = features.filter(({ properties: p }) => p?.id === id && isVerdict(p?.verdict) && typeof p?.from === "number" && typeof p?.to === "number");
  return parts.length > 1 ? parts.sort((a, b) => a.properties!.from - b.properties!.from) : [];
}

/** Motion of each part, and a box of one standard deviation; `choose` hears of the part that is clicked. */
export function alongChart(host: HTMLElement, parts: Properties[], chosen: number, told: (text: string) => void, choose: (part: number) => void): void {
  const value = ({ motion }: Properties): number | null => (typeof motion === "number" ? motion : null);
  const ends = parts.filter((part) => value(part) !== null).flatMap((part) => [1, -1].map((sign) => value(part)! + 2 * sign * Number(part.motion_sigma)));
  const middles = parts.map(({ from, to }) => (Number(from) + Number(to)) / 2);
  const draw = (chart: uPlot): void => {
    const pen = chart.ctx;
    const at = (x: number, y: number): [number, number] => [chart.valToPos(x, "x", true), chart.valToPos(y, "y", true)];
    pen.save();
    parts.forEach((part, i) => {
      const motion = value(part);
      const sigma = Number(part.motion_sigma);
      const colour = colours().verdicts[String(part.verdict)];
      if (i === chosen) {
        const [left, right] = [at(Number(part.from), 0)[0], at(Number(part.to), 0)[0]];
        pen.fillStyle = `${colours().series[0]}14`;
        pen.fillRect(left, chart.bbox.top, right - left, chart.bbox.height);
      }
      if (motion === null) return;
      const [left, top] = at(Number(part.from), motion + sigma);
      const [right, bottom] = at(Number(part.to), motion - sigma);
      pen.fillStyle = `${colour}55`;
      pen.fillRect(left, top, right - left, bottom - top);
      pen.fillStyle = colour;
      pen.fillRect(left, at(0, motion)[1] - devicePixelRatio, right - left, 2 * devicePixelRatio);
    });
    pen.restore();
  };
  const under = (chart: uPlot): number => {
    const x = chart.posToVal(chart.cursor.left ?? -1, "x");
    return (chart.cursor.left ?? -1) < 0 ? -1 : parts.findIndex(({ from, to }) => x >= Number(from) && x <= Number(to));
  };
  const cursor = (chart: uPlot): void => {
    const part = parts[under(chart)];
    told(part ? `${number(Number(part.from), 0)}–${number(Number(part.to), 0)} m · ${sentence(part)}` : "");
  };
  const chart = place(
    host,
    {
      scales: { x: { time: false, range: [Number(parts[0].from), Number(parts[parts.length - 1].to)] }, y: { range: [EDGE * Math.min(-LEAST, ...ends), EDGE * Math.max(LEAST, ...ends)] } },
      axes: [axis(t("along-distance"), 30), axis(unit("mm/yr"), 46)],
      series: [{}, { stroke: "transparent", points: { show: false } }],
      hooks: { drawSeries: [draw], setCursor: [cursor] },
    },
    [middles, parts.map(value) as number[]],
  );
  chart.over.addEventListener("click", () => {
    const part = under(chart);
    if (part >= 0) choose(part);
  });
}

export function alongTable(parts: Properties[]): Table {
  const column = (name: string): (number | string | null)[] => parts.map((part) => (part[name] ?? null) as number | string | null);
  const columns = { from_m: column("from"), to_m: column("to"), motion_mm_yr: column("motion"), sigma_mm_yr: column("motion_sigma"), points: column("points"), verdict: column("verdict") };
  return { about: [`${String(parts[0].name || parts[0].id)}: motion against the ground within 5 km, +- one standard deviation`], columns };
}

/** What a screen reader is told of the chart. */
export const alongText = (parts: Properties[]): string => parts.map((part) => `${spanName(part, "")}: ${sentence(part)}`).join("; ");
