/** Web Mercator: parts of the world, tiles of 512 pixels. */

import type { Camera } from "./view";

export const EQUATOR = 40075016.686; // metres

/** Pixels that the world is wide. */
export const worldSize = (zoom: number): number => 512 * 2 ** zoom;

/** Parts of the world from its north-west corner. */
export function fraction(longitude: number, latitude: number): [number, number] {
  const sine = Math.sin((Math.max(-85.05, Math.min(85.05, latitude)) * Math.PI) / 180);
  return [(longitude + 180) / 360, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export function degrees(x: number, y: number): [number, number] {
  return [x * 360 - 180, (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI];
}

/** Length of a pixel on the ground, metres. */
export function metresPerPixel(camera: Camera): number {
  return (EQUATOR * Math.cos((camera.latitude * Math.PI) / 180)) / worldSize(camera.zoom);
}

/** Degrees of longitude that a pixel is wide. */
export const degreesPerPixel = (camera: Camera): number => 360 / worldSize(camera.zoom);

/** The largest of 1, 2, 5, 10, 20 and so on that is not above a value. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [5, 2, 1].map((each) => each * power).find((each) => each <= value) ?? power;
}

/** The smallest of 1, 2, 5, 10, 20 and so on that is not below a value. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value * (1 - 1e-9)) ?? 10 * power;
}
