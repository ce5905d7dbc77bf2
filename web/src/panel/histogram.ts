/** Values of what is drawn, counted, in the colours of the map where it is coloured by the same field. */

import { get } from "../dom";
import { number, t, whole } from "../i18n";
import { niceAbove } from "../map/mercator";
import type { Drawn, Style } from "../map/view";
import { colours } from "../theme";

const MOST = 74; // bins

interface Counts {
  bins: Float64Array;
  width: number; // of a bin
  first: number; // middle of the first
  total: number;
  kept: number; // by the filter
}

export function drawHistogram(drawn: Drawn[], style: Style, [low, high]: [number, number], what: string, units: string): void {
  const canvas = get<HTMLCanvasElement>("histogram");
  const { bins, width, first, total, kept } = count(drawn, style, low, high);
  const pen = canvas.getContext("2d")!;
  const { outside, bar, cap } = colours().chart;
  const peak = Math.max(1, ...bins);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const scale = canvas.width / (high - low);
  bins.forEach((each, i) => {
    const value = first + i * width;
    const left = (value - width / 2 - low) * scale;
    const inside = value >= style.least && value <= style.largest;
    pen.fillStyle = !inside ? outside : style.field === style.by ? style.scale.css(value) : bar;
    const height = each ? Math.max(2, Math.sqrt(each / peak) * (canvas.height - 4)) : 0;
    pen.fillRect(left, canvas.height - height, width * scale - 1, height);
    if (inside && height) {
      pen.fillStyle = cap;
      pen.fillRect(left, canvas.height - height, width * scale - 1, 1.5);
    }
  });
  get("shown").textContent = kept === total ? `${whole(total)} ${t("points")}` : `${whole(kept)} / ${whole(total)}`;
  canvas.title = t("histogram");
  canvas.setAttribute("aria-label", `${what}: ${whole(total)} ${t("points")}, ${number(low)} … ${number(high)} ${units}. ${t("histogram")}`);
}

/** Bins of a round width, with round values in their middles: rounded values fall evenly. */
function count(drawn: Drawn[], { least, largest }: Style, low: number, high: number): Counts {
  const width = niceAbove((high - low) / MOST);
  const first = Math.round(low / width) * width;
  const bins = Math.round((high - first) / width) + 1;
  const counts = { bins: new Float64Array(bins), width, first, total: 0, kept: 0 };
  for (const tile of drawn.flatMap(({ tiles }) => tiles)) {
    for (let i = 0; i < tile.length; i++) {
      const value = tile.by[i];
      if (Number.isNaN(value)) continue;
      const weight = tile.count ? tile.count[i] : 1;
      counts.total += weight;
      if (value >= least && value <= largest) counts.kept += weight;
      counts.bins[Math.max(0, Math.min(bins - 1, Math.round((value - first) / width)))] += weight;
    }
  }
  return counts;
}
