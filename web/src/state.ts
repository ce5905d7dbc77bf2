/** What the page shows, and the link that brings it back. */

import type { Catalog, LayerInfo, PointRecord } from "./data/types";
import { FILM, type Span, monthOf, monthText, wholeSpan } from "./data/film";
import { type Language, current } from "./i18n";
import type { Camera } from "./map/view";

export const NO_LIMIT = 1e6;
const RELIEF = 0.6;
export const TIMES = [1, 2, 3, 5, 10]; // of heights

export interface State {
  visible: Set<string>;
  field: string;
  palette: string;
  low: number;
  high: number;
  by: string; // the field that is filtered
  least: number;
  largest: number;
  size: number; // of points, 1 is usual
  opacity: number;
  relief: number; // its opacity
  times: number | null; // heights are drawn as large, on a tilted map
  span: Span; // of displacements
  components: Map<string, string>; // of displacement maps
  picked: { layer: LayerInfo; record: PointRecord }[];
  drawn: Drawing | null;
}

/** An outline or a line that was drawn, degrees. */
export interface Drawing {
  kind: "area" | "profile";
  vertices: [number, number][];
}

export interface Link {
  camera: Camera | null;
  visible: string[] | null;
  field: string | null;
  palette: string | null;
  range: [number, number] | null;
  by: string | null;
  keep: [number, number] | null;
  size: number | null;
  opacity: number | null;
  relief: number | null;
  times: number | null;
  span: [string, string] | null;
  components: [string, string][];
  drawn: Drawing | null;
  picked: { layer: string; part: string; row: number }[];
  language: Language | null;
}

/** What is shown at first: what the link says, and else the first layer of points with features and stations. */
export function initial(catalog: Catalog, link: Link): State {
  const points = catalog.layers.filter((layer) => layer.kind === "points");
  const first = points[0] ?? catalog.layers.find((layer) => layer.kind === "map") ?? catalog.layers[0];
  const others = points.filter((layer) => layer !== first);
  const added = catalog.layers.filter((layer) => ["features", "stations", "relief"].includes(layer.kind) && !others.some((each) => isJudgedBy(layer, each)));
  const visible = new Set([first, ...added].map((layer) => layer.id));
  const state: State = { visible, field: "mean_velocity", palette: "motion", low: -10, high: 10, by: "mean_velocity", least: -NO_LIMIT, largest: NO_LIMIT, size: 1, opacity: 1, relief: RELIEF, times: null, span: wholeSpan(points) ?? [0, 0], components: new Map(), picked: [], drawn: null };
  for (const layer of catalog.layers) if (layer.components) state.components.set(layer.id, firstComponent(layer));
  const known = new Set(catalog.layers.map((layer) => layer.id));
  if (link.visible) state.visible = new Set(link.visible.filter((id) => known.has(id)));
  choose(state, catalog, link.field && catalog.fields[link.field] ? link.field : state.field);
  if (link.palette && catalog.palettes[link.palette]) state.palette = link.palette;
  if (link.range) [state.low, state.high] = link.range;
  if (link.by && link.by !== FILM && catalog.fields[link.by]) state.by = link.by;
  if (link.keep) [state.least, state.largest] = link.keep;
  if (link.size) state.size = Math.max(0.5, Math.min(3, link.size));
  if (link.opacity) state.opacity = Math.max(0.1, Math.min(1, link.opacity));
  if (link.relief) state.relief = Math.max(0.1, Math.min(1, link.relief));
  if (link.times) state.times = TIMES.find((each) => each === link.times) ?? null;
  if (link.span) state.span = within(state.span, link.span);
  for (const [id, component] of link.components) {
    const layer = catalog.layers.find((each) => each.id === id);
    if (layer?.components && [...layer.components, "magnitude"].includes(component)) state.components.set(id, component);
  }
  return state;
}

/** Whether a layer of assets was judged by these points: see explore/assets.py. */
export const isJudgedBy = ({ title }: LayerInfo, { level, component, track }: LayerInfo): boolean => title.endsWith(`, ${level} ${track === null || track === undefined ? component : `track ${track}`}`);

const firstComponent = ({ components }: LayerInfo): string => (components!.includes("up") ? "up" : "magnitude");

/** Colour by a field, in the scale and range that suit it. */
export function choose(state: State, catalog: Catalog, field: string): void {
  state.field = field;
  state.palette = catalog.fields[field].palette;
  const ranges = catalog.layers.filter((layer) => layer.kind === "points" && layer.fields?.[field]).map((layer) => layer.fields![field]);
  const shown = catalog.layers.filter((layer) => layer.kind === "points" && state.visible.has(layer.id) && layer.fields?.[field]).map((layer) => layer.fields![field]);
  const used = shown.length ? shown : ranges;
  if (!used.length) return;
  state.low = tidy(Math.min(...used.map(([low]) => low)));
  state.high = tidy(Math.max(...used.map(([, high]) => high)));
}

/** Months of a link, that are there and in order. */
function within([first, last]: Span, months: [string, string]): Span {
  const [from, to] = months.map((text) => Math.max(first, Math.min(last, monthOf(text) || first)));
  return from <= to ? [from, to] : [first, last];
}

/** Without the last digits that binary numbers add. */
const tidy = (value: number): number => Number(value.toPrecision(6));

export function write(state: State, camera: Camera, catalog: Catalog): string {
  const parts = [
    `m=${[camera.zoom.toFixed(2), camera.latitude.toFixed(5), camera.longitude.toFixed(5), ...(state.times ? [camera.pitch?.toFixed(1) ?? 0, camera.bearing?.toFixed(1) ?? 0] : [])].join("/")}`,
    `l=${[...state.visible].map(encodeURIComponent).join(",")}`,
    `f=${state.field}`,
    `c=${state.palette}`,
    `r=${state.low},${state.high}`,
    `lang=${current()}`,
  ];
  if (state.least > -NO_LIMIT || state.largest < NO_LIMIT) parts.push(`k=${tidy(state.least)},${tidy(state.largest)}`, `b=${state.by}`);
  if (state.size !== 1) parts.push(`s=${state.size}`);
  if (state.opacity !== 1) parts.push(`o=${state.opacity}`);
  if (state.relief !== RELIEF) parts.push(`h=${state.relief}`);
  if (state.times) parts.push(`e=${state.times}`);
  if (state.field === FILM) parts.push(`t=${state.span.map(monthText).join(",")}`);
  const others = catalog.layers.filter((layer) => layer.components && state.components.get(layer.id) !== firstComponent(layer));
  if (others.length) parts.push(`d=${others.map(({ id }) => [id, state.components.get(id)!].map(encodeURIComponent).join("~")).join(",")}`);
  if (state.drawn) parts.push(`g=${state.drawn.kind}~${state.drawn.vertices.map((place) => place.map((v) => v.toFixed(6)).join("~")).join("~")}`);
  if (state.picked.length) parts.push(`p=${state.picked.map(({ layer, record }) => [layer.id, record.part, record.row].map((v) => encodeURIComponent(String(v))).join("~")).join(",")}`);
  return `#${parts.join("&")}`;
}

export function read(hash: string): Link {
  const values = new Map(hash.replace(/^#/, "").split("&").map((part) => part.split("=", 2) as [string, string]));
  const pair = (name: string): [number, number] | null => {
    const found = (values.get(name) ?? "").split(",").map(Number);
    return found.length === 2 && found.every(Number.isFinite) ? [found[0], found[1]] : null;
  };
  const place = (values.get("m") ?? "").split("/").map(Number);
  const language = values.get("lang");
  return {
    camera: (place.length === 3 || place.length === 5) && place.every(Number.isFinite) ? { zoom: place[0], latitude: place[1], longitude: place[2], pitch: place[3], bearing: place[4] } : null,
    visible: values.has("l") ? values.get("l")!.split(",").filter(Boolean).map(decodeURIComponent) : null,
    field: values.get("f") ?? null,
    palette: values.get("c") ?? null,
    range: pair("r"),
    by: values.get("b") ?? null,
    keep: pair("k"),
    size: Number(values.get("s")) || null,
    opacity: Number(values.get("o")) || null,
    relief: Number(values.get("h")) || null,
    times: Number(values.get("e")) || null,
    span: /^\d{4}-\d\d,\d{4}-\d\d$/.test(values.get("t") ?? "") ? (values.get("t")!.split(",") as [string, string]) : null,
    components: (values.get("d") ?? "").split(",").filter(Boolean).map((text) => text.split("~").map(decodeURIComponent) as [string, string]),
    drawn: drawing(values.get("g") ?? ""),
    picked: (values.get("p") ?? "").split(",").filter(Boolean).map((text) => {
      const [layer, part, row] = text.split("~").map(decodeURIComponent);
      return { layer, part, row: Number(row) };
    }),
    language: language === "en" || language === "fr" ? language : null,
  };
}

function drawing(text: string): Drawing | null {
  const [kind, ...rest] = text.split("~");
  const numbers = rest.map(Number);
  const vertices = numbers.filter((_, i) => i % 2 === 0).map((longitude, i): [number, number] => [longitude, numbers[2 * i + 1]]);
  if ((kind !== "area" && kind !== "profile") || vertices.length < 2 || !numbers.every(Number.isFinite) || numbers.length % 2) return null;
  return { kind, vertices };
}
