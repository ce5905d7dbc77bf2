/** Points and cells, written into the pixels of a canvas. */

import type { TileData } from "../../data/types";
import { isDark } from "../../theme";
import { fraction } from "../mercator";
import { type Drawn, type Style, pointRadius } from "../view";
import type { Frame } from "./frame";

export function drawPoints(canvas: HTMLCanvasElement, frame: Frame, drawn: Drawn[], style: Style): void {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d")!;
  const picture = pen.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const { zoom, longitude, latitude } = frame.camera;
  const world = frame.world * ratio;
  const [cx, cy] = fraction(longitude, latitude);
  for (const { layer, tiles } of drawn) {
    for (const tile of tiles) {
      const tilesWide = 2 ** tile.z;
      const side = tile.kind === "cells" ? world / tilesWide / tile.side : 2 * ratio * style.size * pointRadius(zoom, layer.level === "L3");
      const left = (tile.x / tilesWide - cx) * world + width / 2 - side / 2;
      const top = (tile.y / tilesWide - cy) * world + height / 2 - side / 2;
      const colours = new Uint32Array(style.scale.paint(tile, style).buffer);
      stamp(pixels, width, tile, colours, { left, top, side, step: world / tilesWide / 65536, round: tile.kind === "points" });
    }
  }
  pen.putImageData(picture, 0, 0);
}

interface Stamp {
  left: number; // of a point at the corner of the tile
  top: number;
  side: number;
  step: number; // pixels between places in the tile
  round: boolean; // discs with an edge, dark on a light ground and light on a dark one; squares otherwise
}

/** Write the points of a tile. */
function stamp(pixels: Uint32Array, width: number, tile: TileData, colours: Uint32Array, { left, top, side, step, round }: Stamp): void {
  const height = pixels.length / width;
  const rows = Math.max(1, Math.round(side));
  const inset = Array.from({ length: rows }, (_, row) => (round ? Math.round(rows / 2 - Math.sqrt((rows / 2) ** 2 - (row + 0.5 - rows / 2) ** 2)) : 0));
  const edged = round && rows > 5;
  const lift = isDark() ? 0x808080 : 0; // half way to white, instead of to black
  for (let i = 0; i < tile.length; i++) {
    const colour = colours[i];
    if (!colour) continue;
    const x = Math.round(left + tile.x16[i] * step);
    const y = Math.round(top + tile.y16[i] * step);
    if (x < -rows || y < -rows || x >= width || y >= height) continue;
    const edge = edged ? (((colour & 0xff000000) | ((colour >>> 1) & 0x7f7f7f)) + lift) >>> 0 : colour;
    for (let row = Math.max(0, -y); row < Math.min(rows, height - y); row++) {
      const from = (y + row) * width;
      const [first, last] = [x + inset[row], x + rows - inset[row]];
      const whole = row === 0 || row === rows - 1;
      pixels.fill(whole ? edge : colour, from + Math.max(0, first), from + Math.min(width, Math.max(last, 0)));
      if (edged && first >= 0) pixels[from + first] = edge;
      if (edged && last <= width && last > 0) pixels[from + last - 1] = edge;
    }
  }
}
