/** Points, shapes and values under the mouse: a tip, and at a click the drawer. */

import * as api from "../data/api";
import { spread } from "../data/film";
import type { LayerInfo, PointRecord } from "../data/types";
import { get } from "../dom";
import { partsOf } from "../drawer/along";
import * as drawer from "../drawer/drawer";
import { sentence, spanName } from "../drawer/features";
import { number, t, unit } from "../i18n";
import { degreesPerPixel, metresPerPixel } from "../map/mercator";
import { around } from "../map/around";
import { near, parts } from "../map/near";
import type { Scene } from "../map/scene";
import { type Found, under, underTilted } from "../map/under";
import type { Mark } from "../map/view";
import { name } from "../names";
import { failed, notice } from "../notice";
import type { Page } from "../page";
import { isJudgedBy } from "../state";
import { seriesKey } from "../theme";
import { uncover } from "./uncover";

const BESIDE = 10; // metres from a part of an asset, where points are asked for
const MOST = 8; // points compared
const TIP = 6; // pixels
const SHAPE = 8;
const SHAPES = ["stations", "features"] as const;
const CONTEXT = 1.5; // sizes of a feature that are seen on each side of it
const AROUND = 4e-4; // degrees around a feature that is gone to, at least
const CLOSE = 19; // zoom of it
const SETTLED = 150; // ms until a map knows its new size
const SOUGHT = 15; // zoom of a place that was sought

interface Shape {
  layer: LayerInfo;
  feature: GeoJSON.Feature;
}

/** From the corner of the map. */
export type Pixels = [number, number];

/** Whether a layer reaches a place. */
function covers(longitude: number, latitude: number): (layer: LayerInfo) => boolean {
  return ({ bounds: [west, south, east, north] }) => longitude >= west && longitude <= east && latitude >= south && latitude <= north;
}

export class Picking {
  comparing = false;

  /** `shown` is called when other points are in the drawer, `inside` for what an outline holds of a layer of points. */
  constructor(
    private readonly page: Page,
    private readonly scene: Scene,
    private readonly shown: () => void,
    private readonly inside: (outline: [number, number][], points: LayerInfo) => void,
  ) {}

  /** Tell what is under the mouse, at some pixels from the corner of the map; whether there is anything. */
  hover(place: [number, number], x: number, y: number): boolean {
    const tip = get("tip");
    tip.textContent = this.hint(place, [x, y]);
    tip.hidden = !tip.textContent;
    if (tip.hidden) return false;
    const left = Math.min(x + 12, get("map").clientWidth - tip.offsetWidth - 4);
    tip.style.transform = `translate(${left}px, ${y + 12}px)`;
    return true;
  }

  /** The value of a point, or what a span does. */
  private hint(place: [number, number], pixels: Pixels): string {
    const found = this.under(place, pixels, TIP);
    if (!found) {
      const span = this.shapeAt(...place, "features", isJudged)?.feature.properties;
      return span ? `${spanName(span, "")}: ${sentence(span)}` : "";
    }
    const { tile, index, layer } = found;
    const units = unit(this.page.catalog.fields[this.page.state.field].unit);
    if (tile.pale) return t("film-pale");
    const sigma = tile.film ? ` ± ${number(spread(tile, index, this.page.state.span))}` : "";
    const many = tile.count ? ` · ${t("mean")}, ${tile.count[index]} ${t("points")}` : "";
    return `${number(tile.value[index], units ? 1 : 2)}${sigma} ${units}${many}${this.page.shown("points").length > 1 ? ` · ${name(layer)}` : ""}`;
  }

  async click(longitude: number, latitude: number, pixels: Pixels, add: boolean, reach: number): Promise<void> {
    const found = this.under([longitude, latitude], pixels, reach);
    const asks = !this.page.catalog.static;
    try {
      if (found?.tile.row && found.tile.part) {
        const { layer, tile, index } = found;
        await this.pick(layer, tile.parts[tile.part![index]], tile.row![index], add);
      } else if (found && asks) await this.pickNearest(...this.placeOf(found, [longitude, latitude]), add);
      else await this.pickPlace(longitude, latitude);
    } catch (error) {
      if (/^no point|^404/.test((error as Error).message)) notice(t("no-point"));
      else failed(error as Error);
    }
  }

  async pick(layer: LayerInfo, part: string, row: number, add: boolean): Promise<void> {
    const answer = api.point(layer, part, row);
    const record = add ? await answer : await this.page.latest(answer);
    if (record) this.select(layer, record, add);
  }

  /** Put the points that are picked on the map and into the drawer. */
  show(): void {
    const { picked } = this.page.state;
    this.scene.marks(this.marks());
    this.page.state.drawn = null;
    this.scene.outline([], false);
    const place = picked.length === 1 ? picked[0].record : null;
    const on = place && this.shapeAt(place.longitude, place.latitude, "features", isJudged);
    if (picked.length) drawer.showPoints(picked.map(({ record }) => record), (i) => this.drop(i), on?.feature.properties ?? null);
    else drawer.close();
    const last = picked.at(-1)?.record;
    if (last) uncover(this.page.view, [[last.longitude, last.latitude]]);
    this.shown();
  }

  /** Marks again, at other heights. */
  again(): void {
    if (this.page.state.picked.length) this.scene.marks(this.marks());
  }

  clear(): void {
    this.page.state.picked.length = 0;
    this.show();
  }

  private drop(index: number): void {
    this.page.state.picked.splice(index, 1);
    this.show();
  }

  private under(place: [number, number], pixels: Pixels, reach: number): Found | null {
    const { view, state } = this.page;
    const { lift } = view;
    return lift ? underTilted(this.scene.points(), view.camera().zoom, lift, pixels, reach, state) : under(this.scene.points(), view.camera(), place, reach, state);
  }

  /** The place that was clicked; on a tilted map, that of the cell that is seen there. */
  private placeOf({ tile, index }: Found, clicked: [number, number]): [number, number] {
    return this.page.view.lift ? [tile.places[2 * index], tile.places[2 * index + 1]] : clicked;
  }

  private async pickNearest(longitude: number, latitude: number, add: boolean): Promise<void> {
    const radius = 12 * metresPerPixel(this.page.view.camera());
    for (const layer of this.page.shown("points").reverse()) {
      try {
        const record = await this.page.latest(api.nearest(layer, longitude, latitude, radius));
        return record ? this.select(layer, record, add) : undefined;
      } catch (error) {
        if (!/^no point/.test((error as Error).message)) throw error;
      }
    }
    notice(t("no-point"));
  }

  /** Show what is known of a place: of a station or feature that is there, and of the uppermost map. */
  private async pickPlace(longitude: number, latitude: number): Promise<void> {
    const map = this.page.catalog.static ? undefined : this.page.shown("map").filter(covers(longitude, latitude)).at(-1);
    const shape = this.shapeAt(longitude, latitude);
    if (!map && !shape) return this.page.shown("points").length ? notice(t("no-point")) : undefined;
    const values = map ? await this.page.latest(api.value(map, longitude, latitude)) : {};
    if (!values) return;
    if (shape) this.describe(shape, values);
    else drawer.showValues(map!.title, values);
    this.mark(longitude, latitude);
  }

  /** Go to a place, and mark it. */
  go(longitude: number, latitude: number): void {
    drawer.close();
    this.page.view.go({ ...this.page.view.camera(), longitude, latitude, zoom: Math.max(SOUGHT, this.page.view.camera().zoom) });
    this.mark(longitude, latitude);
  }

  /** Go to a feature, and show what is known of it. */
  choose(layer: LayerInfo, feature: GeoJSON.Feature): void {
    const { lines, places } = parts(feature.geometry);
    const all = [...lines.flat(), ...places];
    const [x, y] = [0, 1].map((k) => all.map((place) => place[k]));
    const [west, south, east, north] = [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
    const edge = Math.max(AROUND, (east - west) * CONTEXT, (north - south) * CONTEXT);
    this.describe({ layer, feature }, {});
    this.forget();
    window.setTimeout(() => this.page.view.fit([west - edge, south - edge, east + edge, north + edge], CLOSE), SETTLED);
    this.scene.outline(outlineOf(west, south, east, north, edge / 8), true);
  }

  private describe({ layer, feature }: Shape, values: drawer.Values): void {
    const properties = feature.properties ?? {};
    if (layer.kind === "features") {
      const parts = partsOf(this.scene.shapes.of(layer), properties);
      const among = parts.length ? { all: parts.map((part) => part.properties!), shown: parts.indexOf(feature), choose: (part: number) => this.choose(layer, parts[part]) } : null;
      return drawer.showFeature(spanName(properties, layer.title), properties, values, among, this.seriesOf({ layer, feature }));
    }
    const { pixels: _, ...own } = properties;
    const known = Object.entries(own).map(([key, value]) => [key, { value: value as number | string, unit: "mm/yr" }]);
    drawer.showValues(String(properties.name ?? layer.title), { ...Object.fromEntries(known), ...values });
  }

  /** Asks for the series of the points near a part of an asset, of those that it was judged by; null where nobody can be asked. */
  private seriesOf({ layer, feature }: Shape): (() => void) | null {
    const shown = this.page.shown("points");
    const points = shown.find((each) => isJudgedBy(layer, each)) ?? shown.at(-1);
    if (this.page.catalog.static || !points || !isJudged(feature)) return null;
    return () => this.inside(around(feature.geometry, BESIDE + Number(feature.properties!.width ?? 0) / 2), points);
  }

  /** The uppermost shape at a place. */
  private shapeAt(longitude: number, latitude: number, kind: "features" | "stations" | null = null, wanted = (_: GeoJSON.Feature): boolean => true): Shape | null {
    const reach = SHAPE * degreesPerPixel(this.page.view.camera());
    for (const layer of this.page.shown(...(kind ? [kind] : SHAPES)).reverse()) {
      const feature = this.scene.shapes.of(layer).find((each) => wanted(each) && near(each.geometry, longitude, latitude, reach));
      if (feature) return { layer, feature };
    }
    return null;
  }

  /** Mark a place that is in the drawer, instead of points. */
  private mark(longitude: number, latitude: number): void {
    this.forget();
    this.scene.marks([{ longitude, latitude, label: "", colour: seriesKey(0) }]);
    uncover(this.page.view, [[longitude, latitude]]);
  }

  /** Take points and drawings off the map. */
  private forget(): void {
    this.page.state.picked.length = 0;
    this.page.state.drawn = null;
    this.scene.outline([], false);
    this.scene.marks([]);
  }

  private select(layer: LayerInfo, record: PointRecord, add: boolean): void {
    const { picked } = this.page.state;
    if (picked.some((each) => each.layer === layer && each.record.part === record.part && each.record.row === record.row)) return;
    if (!(add || this.comparing)) picked.length = 0;
    if (picked.length >= MOST) picked.shift();
    picked.push({ layer, record });
    this.show();
  }

  private marks(): Mark[] {
    const { picked } = this.page.state;
    const label = (i: number): string => (picked.length > 1 ? String.fromCharCode(65 + i) : "");
    return picked.map(({ record }, i) => ({ longitude: record.longitude, latitude: record.latitude, label: label(i), colour: seriesKey(i), height: Number(record.attributes.height ?? Number.NaN) }));
  }

}

/** Corners of a box around a feature. */
const outlineOf = (west: number, south: number, east: number, north: number, edge: number): [number, number][] => [
  [west - edge, south - edge], [east + edge, south - edge], [east + edge, north + edge], [west - edge, north + edge],
];

const isJudged = ({ properties }: GeoJSON.Feature): boolean => properties?.verdict !== undefined;
