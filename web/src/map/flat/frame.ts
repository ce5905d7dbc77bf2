/** Where places are in the box of the map. */

import { degrees, fraction, worldSize } from "../mercator";
import type { Camera } from "../view";

export type Box = [west: number, south: number, east: number, north: number];

export class Frame {
  readonly world: number; // pixels
  private readonly middle: [number, number];

  constructor(
    readonly camera: Camera,
    readonly width: number,
    readonly height: number,
  ) {
    this.world = worldSize(camera.zoom);
    this.middle = fraction(camera.longitude, camera.latitude);
  }

  /** Pixels from the corner of the box. */
  project(longitude: number, latitude: number): [number, number] {
    return this.at(...fraction(longitude, latitude));
  }

  /** The same for parts of the world. */
  at(x: number, y: number): [number, number] {
    return [(x - this.middle[0]) * this.world + this.width / 2, (y - this.middle[1]) * this.world + this.height / 2];
  }

  unproject(x: number, y: number): [number, number] {
    return degrees(this.middle[0] + (x - this.width / 2) / this.world, this.middle[1] + (y - this.height / 2) / this.world);
  }

  bounds(): Box {
    const [west, north] = this.unproject(0, 0);
    const [east, south] = this.unproject(this.width, this.height);
    return [west, south, east, north];
  }

  /** The camera after the map was dragged by some pixels. */
  dragged(dx: number, dy: number): Camera {
    const [longitude, latitude] = this.unproject(this.width / 2 - dx, this.height / 2 - dy);
    return { ...this.camera, longitude, latitude };
  }
}

/** The camera that shows a part of the world in a box, with `margin` pixels around it and `bottom` more below. */
export function fitted([west, south, east, north]: Box, width: number, height: number, margin: number, bottom: number, largest: number): Camera {
  const [left, top] = fraction(west, north);
  const [right, low] = fraction(east, south);
  const zoomOf = (pixels: number, part: number): number => Math.log2(Math.max(pixels - 2 * margin, 16) / 512 / Math.max(part, 1e-9));
  const zoom = Math.min(largest, zoomOf(width, right - left), zoomOf(height - bottom, low - top));
  const [longitude, latitude] = degrees((left + right) / 2, (top + low) / 2 + bottom / 2 / worldSize(zoom));
  return { longitude, latitude, zoom };
}

/** Whether a line may be in view. */
export function touches(line: number[][], [west, south, east, north]: Box): boolean {
  return line.some(([x]) => x > west) && line.some(([x]) => x < east) && line.some(([, y]) => y > south) && line.some(([, y]) => y < north);
}
