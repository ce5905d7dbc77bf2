/** Lines, areas and places as SVG over the points. */

import { colours } from "../../theme";
import { parts } from "../near";
import { type Outline, type Shown, shapeColours, shapeWidth } from "../view";
import { type Frame, touches } from "./frame";

/** What is inside the SVG. */
export function drawLines(frame: Frame, shown: Iterable<Shown>, outline: Outline): string {
  const view = frame.bounds();
  const path = (places: number[][], closed = false): string =>
    !touches(places, view) ? "" : places.map((place, i) => `${i ? "L" : "M"}${frame.project(place[0], place[1]).map((v) => v.toFixed(1)).join(" ")}`).join("") + (closed ? "Z" : "");
  const { drawn, edge } = colours().lines;
  const byColour = new Map<string, string[]>();
  for (const { layer, data } of shown) {
    const { colour, edge: below } = shapeColours(layer);
    for (const feature of data.features) {
      const { lines, places } = parts(feature.geometry);
      const traced = [...lines.map((line) => path(line)), ...places.map(([x, y]) => circle(...frame.project(x, y)))].join("");
      const key = `${colour(feature)} ${below} ${shapeWidth(feature, 1.6)}`;
      if (!byColour.has(key)) byColour.set(key, []);
      byColour.get(key)!.push(traced);
    }
  }
  return [...byColour].map(([style, lines]) => stroke(lines.join(""), style)).join("") + stroke(path(outline.vertices, outline.closed), `${drawn} ${edge} 2.2`);
}

function stroke(lines: string, style: string): string {
  const [colour, edge, text] = style.split(" ");
  const width = Number(text);
  return `<path d="${lines}" fill="none" stroke="${edge}cc" stroke-width="${width + 2.2}"/><path d="${lines}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
}

/** A circle as a path. */
const circle = (x: number, y: number): string => `M${(x - 4).toFixed(1)} ${y.toFixed(1)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`;
