/** The period of a chart of series, by dragging in it or by two dates, and the trends in it. */

import type uPlot from "uplot";
import type { PointRecord } from "../data/types";
import { element } from "../dom";
import { number, t, unit } from "../i18n";
import { letter, seriesColour } from "./charts";
import { type Trend, trend } from "./trend";

const day = (time: number): string => new Date(time * 1000).toISOString().slice(0, 10);
const time = (text: string): number => Date.parse(text) / 1000;

/** Two dates that follow the chart and lead it, and a line that says the trends. */
export function periodOf(records: PointRecord[]): { row: HTMLElement; follow: (chart: uPlot) => void; draw: (chart: uPlot) => void } {
  const dates = records.flatMap((record) => record.dates).sort();
  const [first, last] = [time(dates[0]), time(dates[dates.length - 1])];
  const [from, to] = ["period", "period-to"].map((word) => {
    const input = element("input");
    input.type = "date";
    [input.min, input.max] = [dates[0], dates[dates.length - 1]];
    input.setAttribute("aria-label", t(word as "period"));
    return input;
  });
  const whole = element("button", { class: "small", text: t("period-all") });
  const said = element("output", { class: "trends" });
  const row = element("div", { class: "period" }, element("span", { text: t("period") }), from, element("span", { text: t("period-to") }), to, whole, said);
  row.title = t("period-note");
  let chart: uPlot | null = null;
  let lines: (Trend | null)[] = [];
  let part = false;

  const lead = (low: number, high: number): void => {
    if (high > low) chart?.setScale("x", { min: low, max: high });
  };
  for (const input of [from, to]) input.addEventListener("change", () => from.value && to.value && lead(time(from.value), time(to.value)));
  whole.addEventListener("click", () => lead(first, last));

  const follow = (drawn: uPlot): void => {
    chart = drawn;
    const low = Math.max(first, drawn.scales.x.min ?? first);
    const high = Math.min(last, drawn.scales.x.max ?? last);
    [from.value, to.value] = [day(low), day(high)];
    part = low > first || high < last;
    whole.hidden = !part;
    lines = records.map((record) => trend(record.dates.map(time), record.displacement, low, high));
    const texts = lines.map((found, i) => {
      const name = records.length > 1 ? `${letter(i)} ` : "";
      return name + (found ? `${number(found.rate)} ± ${number(found.sigma)} ${unit("mm/yr")}` : "–");
    });
    said.textContent = texts.join(" · ");
  };

  /** Lines of a part of the series, or of series without a model. */
  const draw = (drawn: uPlot): void => {
    const { ctx: pen, bbox } = drawn;
    const [low, high] = [Math.max(first, drawn.scales.x.min!), Math.min(last, drawn.scales.x.max!)];
    pen.save();
    pen.beginPath();
    pen.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    pen.clip();
    pen.setLineDash([7, 5].map((each) => each * window.devicePixelRatio));
    pen.lineWidth = 1.6 * window.devicePixelRatio;
    lines.forEach((line, i) => {
      if (!line || !(part || !records[i].fit)) return;
      pen.strokeStyle = seriesColour(i);
      pen.beginPath();
      for (const at of [low, high]) pen.lineTo(drawn.valToPos(at, "x", true), drawn.valToPos(line.at(at), "y", true));
      pen.stroke();
    });
    pen.restore();
  };
  return { row, follow, draw };
}
