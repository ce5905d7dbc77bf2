/** Velocities of what is drawn, counted, in the colours of the map where it is coloured by velocity. */

import { get } from "../dom";
import { number, t, unit, whole } from "../i18n";
import type { Drawn, Style } from "../map/view";

const BINS = 74;

interface Counts {
  bins: Float64Array;
  total: number;
  kept: number; // by the filter
}

export function drawHistogram(drawn: Drawn[], style: Style, [low, high]: [number, number]): void {
  const canvas = get<HTMLCanvasElement>("histogram");
  const { bins, total, kept } = count(drawn, style, low, high);
  const pen = canvas.getContext("2d")!;
  const peak = Math.max(1, ...bins);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const width = canvas.width / BINS;
  bins.forEach((each, i) => {
    const value = low + ((i + 0.5) / BINS) * (high - low);
    const inside = value >= style.least && value <= style.largest;
    pen.fillStyle = !inside ? "#dde3e6" : style.field === "mean_velocity" ? style.scale.css(value) : "#7fa3ad";
    const height = each ? Math.max(2, Math.sqrt(each / peak) * (canvas.height - 4)) : 0;
    pen.fillRect(i * width, canvas.height - height, width - 1, height);
    if (inside && height) {
      pen.fillStyle = "#1d2b3344";
      pen.fillRect(i * width, canvas.height - height, width - 1, 1.5);
    }
  });
  get("shown").textContent = kept === total ? `${whole(total)} ${t("points")}` : `${whole(kept)} / ${whole(total)}`;
  canvas.title = t("histogram");
  canvas.setAttribute("aria-label", `${t("filter")}: ${whole(total)} ${t("points")}, ${number(low)} … ${number(high)} ${unit("mm/yr")}. ${t("histogram")}`);
}

function count(drawn: Drawn[], { least, largest }: Style, low: number, high: number): Counts {
  const counts = { bins: new Float64Array(BINS), total: 0, kept: 0 };
  for (const tile of drawn.flatMap(({ tiles }) => tiles)) {
    for (let i = 0; i < tile.length; i++) {
      const velocity = tile.velocity[i];
      if (Number.isNaN(velocity)) continue;
      const weight = tile.count ? tile.count[i] : 1;
      counts.total += weight;
      if (velocity >= least && velocity <= largest) counts.kept += weight;
      counts.bins[Math.max(0, Math.min(BINS - 1, Math.floor(((velocity - low) / (high - low)) * BINS)))] += weight;
    }
  }
  return counts;
}
