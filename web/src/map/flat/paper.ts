/** Land, coasts and borders in a canvas. */

import { colours } from "../../theme";
import { parse } from "../color";
import { SURE, type World } from "../ground";
import { fraction } from "../mercator";
import { type Frame, touches } from "./frame";

/** Make a canvas as sharp as the screen, and empty. */
export function prepare(canvas: HTMLCanvasElement, { width, height }: Frame): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d")!;
  pen.scale(ratio, ratio);
  return pen;
}

export function drawGround(canvas: HTMLCanvasElement, { land, borders }: World, frame: Frame): void {
  const pen = prepare(canvas, frame);
  pen.fillStyle = sea(frame.camera.zoom);
  pen.fillRect(0, 0, frame.width, frame.height);
  const features = land.type === "FeatureCollection" ? land.features : [land];
  const rings = features.flatMap(({ geometry }) => (geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.type === "Polygon" ? geometry.coordinates : []));
  pen.fillStyle = colours().ground.land;
  pen.strokeStyle = colours().ground.coast;
  trace(pen, rings, frame, true);
  pen.fill("evenodd");
  pen.stroke();
  pen.strokeStyle = colours().ground.border;
  pen.setLineDash([3, 2]);
  trace(pen, borders.coordinates, frame, false);
  pen.stroke();
}

/** The colour of the sea at a zoom. */
function sea(zoom: number): string {
  const share = Math.max(0, Math.min(1, (zoom - SURE[0]) / (SURE[1] - SURE[0])));
  const [from, to] = [parse(colours().ground.sea), parse(colours().ground.land)];
  return `rgb(${from.map((value, i) => Math.round(value + share * (to[i] - value))).join(" ")})`;
}

/** Lay a path along the lines that may be in view. */
function trace(pen: CanvasRenderingContext2D, lines: number[][][], frame: Frame, closed: boolean): void {
  const view = frame.bounds();
  pen.beginPath();
  for (const line of lines.filter((each) => touches(each, view))) {
    line.forEach(([longitude, latitude], i) => pen[i ? "lineTo" : "moveTo"](...frame.at(...fraction(longitude, latitude))));
    if (closed) pen.closePath();
  }
}
