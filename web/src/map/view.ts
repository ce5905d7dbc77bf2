/** What the rest of the page needs of a map, whoever draws it. */

import type { LayerInfo, TileData } from "../data/types";
import { colours } from "../theme";
import type { Scale } from "./color";
import type { World } from "./ground";

export interface Camera {
  longitude: number;
  latitude: number;
  zoom: number; // of tiles of 512 pixels
  pitch?: number; // degrees from looking straight down
  bearing?: number; // degrees from north, of what is up on the screen
}

/** How the map is tilted: heights above a base are drawn so many times as large. */
export interface Tilt {
  times: number;
  base: number; // m
  relief: { layer: LayerInfo; url: string } | null; // heights of the ground, as tiles
}

export interface Style {
  field: string;
  palette: string;
  scale: Scale;
  by: string; // the field of the filter
  least: number;
  largest: number;
  size: number; // of points, 1 is usual
  opacity: number;
}

export interface Drawn {
  layer: LayerInfo;
  tiles: TileData[];
}

export interface Mark {
  longitude: number;
  latitude: number;
  label: string;
  colour: string;
  height?: number; // m; that of the ground without
}

export interface Picture {
  id: string;
  layer: LayerInfo;
  url: string;
  size: number;
  relief: number | null; // opacity of a hillshade, whose light is that of the page
}

/** Shapes of a layer. */
export interface Shown {
  layer: LayerInfo;
  data: GeoJSON.FeatureCollection;
}

/** What is being drawn, or was. */
export interface Outline {
  vertices: [number, number][];
  closed: boolean;
}

export interface View {
  readonly gl: boolean;
  camera(): Camera;
  bounds(): [number, number, number, number];
  go(camera: Camera): void;
  fit(bounds: [number, number, number, number], largest?: number): void;
  onMove(moved: () => void): void;
  onClick(clicked: (longitude: number, latitude: number, event: MouseEvent) => void): void;
  onDoubleClick(clicked: () => void): void;
  onHover(moved: (longitude: number, latitude: number, x: number, y: number) => void): void;
  /** Pixels from the corner of the map. */
  project(longitude: number, latitude: number): [number, number];
  points(drawn: Drawn[], style: Style): void;
  pictures(pictures: Picture[]): void;
  shapes(id: string, layer: LayerInfo | null, data: GeoJSON.FeatureCollection | null): void;
  outline(outline: Outline): void;
  marks(marks: Mark[]): void;
  ground(world: World): void;
  cursor(name: string): void;
  /** Look at it from the side, or straight down again. */
  tilt(tilt: Tilt | null): void;
  /** Of a tilted map: pixels from its corner of a part of the world, at a height. */
  readonly lift: ((x: number, y: number, metres: number) => [number, number]) | null;
  /** Move what is shown up by some pixels. */
  raise(pixels: number): void;
  /** The page wears other colours: ground in them; the rest is given again. */
  dress(): void;
  padding(bottom: number): void;
  /** Take the map off the page. */
  remove(): void;
}

/** A part of the map's box, for one of those who draw it. */
export function sheet(container: HTMLElement, name: string): HTMLElement {
  const made = document.createElement("div");
  made.className = `sheet ${name}`;
  container.append(made);
  return made;
}

/** The pin of a point. */
export function markElement({ label, colour }: Mark): HTMLElement {
  const pin = document.createElement("div");
  pin.className = "mark";
  pin.style.setProperty("--mark", colour);
  pin.textContent = label;
  return pin;
}

const OVER_MAPS = ["#ffffff", "#1d2b33"]; // arrows, on any colour
export const SPAN = 5; // pixels
export const FIT_ZOOM = 15; // to which the map is fitted to a layer

/** Pixels left free around what the map is fitted to. */
export function margin(container: HTMLElement): number {
  return Math.max(8, Math.min(56, Math.min(container.clientWidth, container.clientHeight) / 8));
}

/** Radius of a point, pixels. */
export function pointRadius(zoom: number, grid: boolean): number {
  const radius = Math.max(1.6, Math.min(7, 1.6 + (zoom - 9.5) * 0.6));
  return grid ? radius * 1.5 : radius;
}

/** Colours of the shapes of a layer, and of the edge that sets them off from what is below. */
export function shapeColours({ kind }: LayerInfo): { plain: string; edge: string; colour: (feature: GeoJSON.Feature) => string } {
  const { lines, verdicts, levels } = colours();
  const [plain, edge] = kind === "map" ? OVER_MAPS : [kind === "stations" ? lines.stations : lines.features, lines.edge];
  return { plain, edge, colour: ({ properties }) => verdicts[String(properties?.verdict)] ?? levels[String(properties?.level)] ?? plain };
}

/** Width of a line in pixels; spans of assets are wider than what they lie on. */
export function shapeWidth({ properties }: GeoJSON.Feature, plain: number): number {
  return properties?.verdict !== undefined ? SPAN : Number(properties?.pixels ?? plain);
}
