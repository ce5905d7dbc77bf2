/** The page: what the map shows, and what happens when it is touched. */

import "maplibre-gl/dist/maplibre-gl.css";
import "./style.css";
import * as api from "./api";
import { LEVELS, SERIES, Scale } from "./color";
import * as drawer from "./drawer";
import { SCHEME, read as readFile, script } from "./files";
import { FlatView } from "./flatview";
import type { GlView } from "./glview";
import type { World } from "./ground";
import { current, number, setLanguage, t, unit } from "./i18n";
import { type ArrowKey, Panel, name } from "./panel";
import { arrowScale, drawArrows, near, nice } from "./shapes";
import { type State, initial, read, write } from "./state";
import type { Swipe } from "./swipe";
import { PointTiles, degrees, fraction } from "./tiles";
import { Pencil } from "./tools";
import { type Drawn, type Mark, type Picture, type Style, type View, metresPerPixel } from "./view";
import { fineLand, world } from "./world";

const MOST_COMPARED = 8;
const ARROWS = "-arrows"; // end of the name of arrows over a map
const LONGEST_KEY = 70; // pixels
const METRES_PER_DEGREE = 40075016.686 / 360;
const get = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

const hasWebgl = (): boolean => {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null;
  } catch {
    return false;
  }
};

/** What the script of the WebGL map hands over. */
interface Gl {
  GlView: typeof GlView;
  Swipe: typeof Swipe;
}

const outlines = world();
let noticeTimer = 0;
get("notice").addEventListener("click", () => (get("notice").hidden = true));

function notice(text: string, lasting = false): void {
  const box = get("notice");
  box.textContent = text;
  box.hidden = !text;
  window.clearTimeout(noticeTimer);
  if (text && !lasting) noticeTimer = window.setTimeout(() => (box.hidden = true), 6000);
}

const failed = (error: Error): void => notice(`${t("failed")}: ${error.message}`);

class Explorer {
  private readonly tiles = new Map<string, PointTiles>();
  private readonly shapes = new Map<string, GeoJSON.FeatureCollection>();
  private readonly arrows = new Map<string, number>(); // degrees of latitude that a unit is drawn as, by shape
  private readonly panel: Panel;
  private readonly pencil: Pencil;
  private swipe: Swipe | null = null;
  private ground: World | null = null;
  private shownFirst = (): void => {};
  private readonly pointsShown = new Promise<void>((resolve) => (this.shownFirst = resolve));
  private comparing = false;
  private refined = false;
  private covered: Set<string> | null = null;
  private frame = 0;
  private timer = 0;
  private counting = 0;
  private drawnShape: { kind: "area" | "profile"; vertices: [number, number][] } | null = null;

  constructor(
    private readonly catalog: api.Catalog,
    private readonly state: State,
    private view: View,
    private readonly pictured: boolean, // the server draws the points
  ) {
    this.panel = new Panel(catalog, state, (what) => this.change(what), (layer) => this.view.fit(layer.bounds));
    this.pencil = new Pencil(() => this.view, catalog.limits.vertices, (kind, vertices) => void this.drawn(kind, vertices), () => this.press());
    this.tools();
    this.listen();
    this.change("layers");
    outlines.then((ground) => this.lay(ground), failed);
  }

  private listen(): void {
    const view = this.view;
    view.onMove(() => this.moved());
    view.onClick((longitude, latitude, event) => void this.click(longitude, latitude, event.shiftKey));
    view.onDoubleClick(() => this.pencil.finish());
    view.onHover((longitude, latitude, x, y) => this.hover(longitude, latitude, x, y));
  }

  /** When all points in view, and the land below them, are on the screen for the first time. */
  async seen(): Promise<void> {
    await Promise.allSettled([outlines, this.pointsShown]);
    await new Promise((resolve) => requestAnimationFrame(() => window.setTimeout(resolve)));
    performance.mark("first-picture");
  }

  private lay(ground: World): void {
    this.ground = ground;
    this.view.ground(ground);
  }

  /** Go over to the map in WebGL once it has drawn what is seen; until then the other one stays. */
  async goOver(gl: GlView, swipe: Swipe): Promise<void> {
    await gl.ready();
    this.fill(gl);
    await gl.drawn();
    while (this.view instanceof FlatView && this.view.held) await new Promise((resolve) => window.setTimeout(resolve, 100));
    const [former, focused] = [this.view, get("map").contains(document.activeElement)];
    gl.go(former.camera());
    this.view = gl;
    this.swipe = swipe;
    this.fill(gl);
    this.listen();
    this.tidy();
    this.moved();
    former.remove();
    if (focused) gl.map.getCanvas().focus();
  }

  /** Give a map all that is shown. */
  private fill(view: View): void {
    if (this.ground) view.ground(this.ground);
    view.pictures(this.pictures());
    for (const [id, data] of this.shapes) {
      const layer = this.catalog.layers.find((each) => id === each.id || id === `${each.id}${ARROWS}`)!;
      if (this.shapeShown(layer, id)) view.shapes(id, layer, data);
    }
    view.points(this.drawnTiles(), this.style());
    view.marks(this.marks());
    if (this.drawnShape) view.outline(this.drawnShape.vertices, this.drawnShape.kind === "area");
    view.padding(drawer.isOpen() ? drawer.HEIGHT : 0);
  }

  private shapeShown(layer: api.LayerInfo, id: string): boolean {
    return this.state.visible.has(layer.id) && (id === layer.id || this.state.components.get(layer.id) === "magnitude");
  }

  private style(): Style {
    const { field, palette, least, largest } = this.state;
    return { field, palette, scale: this.scale, least, largest };
  }

  private drawnTiles(): Drawn[] {
    return [...this.tiles.values()].map((tiles) => ({ layer: tiles.layer, tiles: tiles.drawn() }));
  }

  private get scale(): Scale {
    return new Scale(this.catalog.palettes[this.state.palette], this.state.low, this.state.high);
  }

  private shown(...kinds: api.LayerInfo["kind"][]): api.LayerInfo[] {
    return this.catalog.layers.filter((layer) => kinds.includes(layer.kind) && this.state.visible.has(layer.id));
  }

  private question(): api.Question {
    return { field: this.state.field, least: this.state.least, largest: this.state.largest };
  }

  private change(what: "layers" | "colour" | "filter"): void {
    if (what === "layers") void this.changeShapes();
    const wanted = new Set(this.shown("points").map((layer) => layer.id));
    for (const [id, tiles] of this.tiles) {
      if (wanted.has(id) && tiles.field === this.state.field) continue;
      tiles.stop();
      this.tiles.delete(id);
    }
    for (const layer of this.shown("points")) {
      if (!this.tiles.has(layer.id)) this.tiles.set(layer.id, new PointTiles(layer, this.state.field, () => this.redraw(), failed));
    }
    this.view.pictures(this.pictures());
    this.legend();
    this.moved();
  }

  private legend(): void {
    const levels = this.shown("features").some((layer) => this.shapes.get(layer.id)?.features.some(({ properties }) => String(properties?.level) in LEVELS));
    this.panel.legend(this.shown("points").length ? this.scale : null, this.shown("map").at(-1) ?? null, levels, this.arrowKeys());
  }

  /** What the arrows in view stand for: a round value of each kind, and its length in pixels. */
  private arrowKeys(): ArrowKey[] {
    const camera = this.view.camera();
    const degreesPerPixel = metresPerPixel(camera) / METRES_PER_DEGREE;
    return this.shown("map", "stations").flatMap((layer) => {
      const id = layer.kind === "map" ? layer.id + ARROWS : layer.id;
      const scale = this.arrows.get(id);
      if (!scale || !this.shapeShown(layer, id)) return [];
      const value = nice((LONGEST_KEY * degreesPerPixel) / scale);
      return [{ title: layer.kind === "map" ? t("arrows") : name(layer), value, unit: layer.kind === "map" ? (layer.unit ?? "m") : "mm/yr", pixels: (value * scale) / degreesPerPixel, pale: layer.kind === "map" }];
    });
  }

  private pictures(): Picture[] {
    const pictures: Picture[] = this.shown("image").map((layer) => ({ id: layer.id, layer, url: api.pictures(layer, {}), size: 256 }));
    for (const layer of this.shown("map")) {
      const field = this.state.components.get(layer.id)!;
      const [low, high] = layer.fields![field];
      pictures.push({ id: layer.id, layer, url: api.pictures(layer, { field, palette: field === "magnitude" ? "viridis" : "motion", low, high }), size: 256 });
    }
    if (this.pictured) {
      const { field, palette, low, high, least, largest } = this.state;
      for (const layer of this.shown("points")) pictures.push({ id: layer.id, layer, url: api.pictures(layer, { field, palette, low, high, least, largest }), size: 512 });
    }
    return pictures;
  }

  /** Arrows of the horizontal motion over a map that shows its length. */
  private async changeArrows(): Promise<void> {
    for (const layer of this.catalog.layers.filter(({ kind }) => kind === "map")) {
      const id = layer.id + ARROWS;
      const wanted = (): boolean => this.shapeShown(layer, id);
      if (wanted() && !this.shapes.has(id)) this.shapes.set(id, this.asArrows(id, await api.arrows(layer), layer.bounds));
      this.view.shapes(id, wanted() ? layer : null, this.shapes.get(id) ?? null);
      this.legend();
    }
  }

  private asArrows(id: string, data: GeoJSON.FeatureCollection, bounds: number[]): GeoJSON.FeatureCollection {
    const scale = arrowScale(data, bounds);
    this.arrows.set(id, scale);
    return drawArrows(data, bounds, scale);
  }

  /** Stations with arrows for their horizontal velocity. */
  private withArrows(layer: api.LayerInfo, data: GeoJSON.FeatureCollection): GeoJSON.FeatureCollection {
    const moving = data.features.filter(({ geometry, properties }) => geometry.type === "Point" && properties?.east != null && properties.north != null);
    const arrows = this.asArrows(layer.id, { type: "FeatureCollection", features: moving }, layer.bounds);
    return { type: "FeatureCollection", features: [...arrows.features, ...data.features] };
  }

  private async changeShapes(): Promise<void> {
    this.changeArrows().catch(failed);
    for (const layer of this.catalog.layers) {
      if (layer.kind !== "features" && layer.kind !== "stations") continue;
      if (!this.state.visible.has(layer.id)) {
        this.view.shapes(layer.id, null, null);
        continue;
      }
      try {
        if (!this.shapes.has(layer.id)) {
          const data = await api.features(layer);
          this.shapes.set(layer.id, layer.kind === "stations" ? this.withArrows(layer, data) : data);
        }
        if (this.state.visible.has(layer.id)) this.view.shapes(layer.id, layer, this.shapes.get(layer.id)!);
        this.legend();
      } catch (error) {
        failed(error as Error);
      }
    }
  }

  /** Finer outlines of land, when the points are there. */
  private refine(): void {
    const waiting = [...this.tiles.values()].some((tiles) => tiles.waiting);
    if (!this.view.gl || this.refined || waiting || this.view.camera().zoom < 5) return;
    this.refined = true;
    Promise.all([fineLand(), outlines]).then(([land, { borders }]) => this.lay({ land, borders }), () => (this.refined = false));
  }

  private moved(): void {
    for (const tiles of this.tiles.values()) tiles.look(this.view);
    if (this.arrows.size) this.legend();
    this.redraw();
    this.remember();
  }

  /** Put what is shown into the address, when it has been still for a moment. */
  private remember(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => history.replaceState(null, "", write(this.state, this.view.camera())), 250);
  }

  private redraw(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const drawn = this.drawnTiles();
      if (!this.pictured) this.view.points(drawn, this.style());
      window.setTimeout(() => this.refine(), 500);
      window.clearTimeout(this.counting);
      this.counting = window.setTimeout(() => this.panel.histogram(drawn.flatMap(({ tiles }) => tiles), this.scale), 80);
      document.body.dataset.waiting = String([...this.tiles.values()].some((tiles) => tiles.waiting));
      const count = drawn.reduce((sum, { tiles }) => sum + tiles.reduce((s, tile) => s + tile.length, 0), 0);
      document.body.dataset.drawn = String(count);
      if (document.body.dataset.waiting === "false") this.shownFirst();
    });
  }

  /** The point drawn nearest to a place, within some pixels. */
  private under(longitude: number, latitude: number, reach: number): { layer: api.LayerInfo; tile: api.TileData; index: number } | null {
    const camera = this.view.camera();
    const pixel = 360 / (512 * 2 ** camera.zoom);
    const squeeze = 1 / Math.cos((latitude * Math.PI) / 180);
    let best: { layer: api.LayerInfo; tile: api.TileData; index: number } | null = null;
    let least = Infinity;
    for (const tiles of this.tiles.values()) {
      for (const tile of tiles.drawn()) {
        const cell = tile.side ? (0.71 * 512 * 2 ** (camera.zoom - tile.z)) / tile.side : 0;
        const wide = Math.max(reach, cell) * pixel;
        for (let i = 0; i < tile.length; i++) {
          const dx = tile.places[2 * i] - longitude;
          if (dx > wide || dx < -wide) continue;
          const dy = (tile.places[2 * i + 1] - latitude) * squeeze;
          const distance = dx * dx + dy * dy;
          const velocity = tile.velocity[i];
          if (distance > wide * wide || distance >= least || velocity < this.state.least || velocity > this.state.largest) continue;
          least = distance;
          best = { layer: tiles.layer, tile, index: i };
        }
      }
    }
    return best;
  }

  private hover(longitude: number, latitude: number, x: number, y: number): void {
    const tip = get("tip");
    const found = this.pencil.active ? null : this.under(longitude, latitude, 6);
    tip.hidden = !found;
    if (!this.pencil.active) this.view.cursor(found ? "pointer" : "");
    if (!found) return;
    const { tile, index, layer } = found;
    const units = unit(this.catalog.fields[this.state.field].unit);
    const many = tile.count ? ` · ${t("mean")}, ${tile.count[index]} ${t("points")}` : "";
    tip.textContent = `${number(tile.value[index], 1)} ${units}${many}${this.tiles.size > 1 ? ` · ${name(layer)}` : ""}`;
    tip.style.transform = `translate(${x + 12}px, ${y + 12}px)`;
  }

  private async click(longitude: number, latitude: number, shift: boolean, reach = 9): Promise<void> {
    if (this.pencil.active) return this.pencil.add(longitude, latitude);
    const found = this.under(longitude, latitude, reach);
    try {
      if (found && found.tile.row && found.tile.part) {
        const { layer, tile, index } = found;
        await this.pick(layer, tile.parts[tile.part![index]], tile.row![index], shift);
      } else if (found && !this.catalog.static) {
        await this.pickNearest(longitude, latitude, shift);
      } else if (this.shown("map").length && !this.catalog.static) {
        const layer = this.shown("map").at(-1)!;
        drawer.showValues(layer.title, await api.value(layer, longitude, latitude));
        this.view.marks([{ longitude, latitude, label: "", colour: SERIES[0] }]);
        this.afterDrawer();
      } else {
        this.pickShape(longitude, latitude);
      }
    } catch (error) {
      if (/^no point|^404/.test((error as Error).message)) notice(t("no-point"));
      else failed(error as Error);
    }
  }

  private pickShape(longitude: number, latitude: number): void {
    const reach = (8 * 360) / (512 * 2 ** this.view.camera().zoom);
    for (const layer of this.shown("stations", "features").reverse()) {
      const hit = this.shapes.get(layer.id)?.features.find((feature) => near(feature.geometry, longitude, latitude, reach));
      if (hit) {
        const { width: _, ...properties } = hit.properties ?? {};
        const heading = String(properties.name ?? layer.title);
        const units = layer.kind === "stations" ? "mm/yr" : "";
        drawer.showValues(heading, Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, { value: each as number | string, unit: units }])));
        this.afterDrawer();
        return;
      }
    }
    if (this.shown("points").length) notice(t("no-point"));
  }

  private async pickNearest(longitude: number, latitude: number, add: boolean): Promise<void> {
    const radius = 12 * metresPerPixel(this.view.camera());
    for (const layer of this.shown("points").reverse()) {
      try {
        const record = await api.nearest(layer, longitude, latitude, radius);
        return this.select(layer, record, add);
      } catch (error) {
        if (!/^no point/.test((error as Error).message)) throw error;
      }
    }
    notice(t("no-point"));
  }

  async pick(layer: api.LayerInfo, part: string, row: number, add: boolean): Promise<void> {
    this.select(layer, await api.point(layer, part, row), add);
  }

  private select(layer: api.LayerInfo, record: api.PointRecord, add: boolean): void {
    const picked = this.state.picked;
    if (picked.some((each) => each.record.part === record.part && each.record.row === record.row)) return;
    if (!(add || this.comparing)) picked.length = 0;
    if (picked.length >= MOST_COMPARED) picked.shift();
    picked.push({ layer, record });
    this.showPicked();
  }

  private marks(): Mark[] {
    const picked = this.state.picked;
    const label = (i: number): string => (picked.length > 1 ? String.fromCharCode(65 + i) : "");
    return picked.map(({ record }, i) => ({ longitude: record.longitude, latitude: record.latitude, label: label(i), colour: SERIES[i] }));
  }

  private showPicked(): void {
    const picked = this.state.picked;
    this.view.marks(this.marks());
    this.drawnShape = null;
    this.view.outline([], false);
    if (picked.length) {
      drawer.showPoints(picked.map(({ record }) => record), (i) => {
        picked.splice(i, 1);
        this.showPicked();
      });
    } else drawer.close();
    this.afterDrawer();
    const last = picked.at(-1)?.record;
    if (last) this.reveal(last.longitude, last.latitude);
    this.remember();
  }

  /** Move the map so that a point is not below the drawer. */
  private reveal(longitude: number, latitude: number): void {
    const free = get("map").clientHeight - get("drawer").offsetHeight;
    const [, y] = this.view.project(longitude, latitude);
    if (y < free - 24) return;
    const camera = this.view.camera();
    const [x, middle] = fraction(camera.longitude, camera.latitude);
    const [, down] = degrees(x, middle + (y - free / 2) / (512 * 2 ** camera.zoom));
    this.view.go({ ...camera, latitude: down });
  }

  private afterDrawer(): void {
    this.view.padding(drawer.isOpen() ? drawer.HEIGHT : 0);
    document.body.classList.toggle("open", drawer.isOpen());
  }

  private async drawn(kind: "area" | "profile", vertices: [number, number][]): Promise<void> {
    this.drawnShape = { kind, vertices };
    this.view.outline(vertices, kind === "area");
    this.view.marks([]);
    this.state.picked.length = 0;
    const layer = kind === "profile" ? (this.shown("points").at(-1) ?? this.shown("map").at(-1)) : this.shown("points").at(-1);
    if (!layer) return;
    try {
      if (kind === "area") {
        const area = await api.statistics(layer, vertices, this.question());
        drawer.showArea(area, this.catalog, this.state.field, current(), name(layer), (format) => void this.take(layer, vertices, format));
      } else {
        const width = Math.max(20, Math.min(100_000, 24 * metresPerPixel(this.view.camera())));
        const label = layer.kind === "map" ? t("moved") : this.catalog.fields[this.state.field].label[current()];
        drawer.showProfile(await api.profile(layer, vertices, width, this.question()), label, name(layer));
      }
    } catch (error) {
      failed(error as Error);
    }
    this.afterDrawer();
  }

  private async take(layer: api.LayerInfo, polygon: [number, number][], format: string): Promise<void> {
    try {
      const file = await api.selection(layer, polygon, format, this.question());
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = `${layer.id}.${format}`;
      link.click();
      window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      failed(error as Error);
    }
  }

  private toggle(tool: string): void {
    if (tool === "area" || tool === "profile") {
      if (this.pencil.active === tool) this.pencil.cancel();
      else if (this.catalog.static) notice(t("static-only"));
      else {
        if (drawer.isOpen()) this.shut(); // what is below it can be drawn on
        this.pencil.start(tool);
      }
    } else if (tool === "compare") {
      this.comparing = !this.comparing;
      if (this.comparing) notice(t("comparing"));
    } else if (this.swipe) {
      const images = this.catalog.layers.filter((layer) => layer.kind === "image");
      if (this.swipe.active) {
        this.swipe.stop();
        this.state.visible = this.covered ?? this.state.visible;
      } else {
        this.covered = new Set(this.state.visible);
        this.state.visible = new Set([images[0].id, ...this.shown("features", "stations").map((layer) => layer.id)]);
        this.view.fit(images[1].bounds);
        this.swipe.start(images[0], images[1], api.pictures(images[1], {}));
      }
      this.panel.render();
      this.change("layers");
    }
    this.press();
  }

  private press(): void {
    const pressed: Record<string, boolean> = { area: this.pencil.active === "area", profile: this.pencil.active === "profile", compare: this.comparing, swipe: this.swipe?.active ?? false };
    for (const [id, on] of Object.entries(pressed)) get(id).setAttribute("aria-pressed", String(on));
  }

  /** Hide the tools that have nothing to work on. */
  private tidy(): void {
    const kinds = new Set(this.catalog.layers.map((layer) => layer.kind));
    get("area").hidden = get("compare").hidden = !kinds.has("points");
    get("profile").hidden = !kinds.has("points") && !kinds.has("map");
    get("swipe").hidden = !this.swipe || this.catalog.layers.filter((layer) => layer.kind === "image").length < 2;
  }

  private tools(): void {
    for (const tool of ["area", "profile", "compare", "swipe"]) get(tool).addEventListener("click", () => this.toggle(tool));
    this.tidy();
    get("close").addEventListener("click", () => this.shut());
    get("fold").addEventListener("click", () => {
      const folded = document.body.classList.toggle("folded");
      get("fold").setAttribute("aria-expanded", String(!folded));
    });
    get("share").addEventListener("click", () => {
      history.replaceState(null, "", write(this.state, this.view.camera()));
      navigator.clipboard?.writeText(location.href).then(() => notice(t("copied")), () => notice(location.href));
    });
    get("language").addEventListener("click", () => {
      setLanguage(current() === "en" ? "fr" : "en");
      document.querySelector(".maplibregl-canvas, .flat")?.setAttribute("aria-label", t("map"));
      this.panel.render();
      this.change("colour");
      if (this.state.picked.length) this.showPicked();
      else if (this.drawnShape) void this.drawn(this.drawnShape.kind, this.drawnShape.vertices);
    });
    get("help").addEventListener("click", () => showHelp());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  private shut(): void {
    this.state.picked.length = 0;
    this.showPicked();
  }

  private key(event: KeyboardEvent): void {
    const typing = event.key !== "Escape" && (event.target as HTMLElement).closest("input, select");
    if (typing || (event.target as HTMLElement).closest("dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    const tools: Record<string, string> = { a: "area", p: "profile", c: "compare" };
    if (event.key === "Escape") {
      if (this.pencil.active) this.pencil.cancel();
      else this.shut();
    } else if (event.key === "Enter" && this.pencil.active) {
      event.preventDefault();
      this.pencil.finish();
    }
    else if ((event.key === "Enter" || event.key === " ") && (event.target as HTMLElement).closest("#map")) {
      event.preventDefault();
      const { longitude, latitude } = this.view.camera();
      void this.click(longitude, latitude, event.shiftKey, 60);
    }
    else if (tools[event.key]) this.toggle(tools[event.key]);
  }
}

function showHelp(): void {
  const dialog = get<HTMLDialogElement>("help-dialog");
  const [text, ...keys] = t("help-text").split("|");
  dialog.innerHTML = `<h2 id="help-title">${t("help-title")}</h2><p>${text}</p><ul>${keys.map((key) => `<li>${key}</li>`).join("")}</ul><form method="dialog"><button class="primary">${t("close")}</button></form>`;
  dialog.showModal();
}

async function start(): Promise<void> {
  const link = read(location.hash);
  setLanguage(link.language ?? current());
  const catalog = await api.catalog();
  document.title = catalog.title;
  const state = initial(catalog);
  const known = new Set(catalog.layers.map((layer) => layer.id));
  if (link.visible) state.visible = new Set(link.visible.filter((id) => known.has(id)));
  if (link.field && catalog.fields[link.field]) state.field = link.field;
  if (link.palette && catalog.palettes[link.palette]) state.palette = link.palette;
  if (link.range) [state.low, state.high] = link.range;
  if (link.keep) [state.least, state.largest] = link.keep;
  const webgl = hasWebgl() && !new URLSearchParams(location.search).has("pictures");
  if (!webgl) notice(t(catalog.static ? "no-webgl-static" : "no-webgl"), true);
  const view = new FlatView(get("map"), catalog.credit);
  const shown = catalog.layers.filter((layer) => state.visible.has(layer.id));
  const target = shown.find(({ kind }) => kind === "points") ?? shown.find(({ kind }) => kind === "map") ?? shown[0] ?? catalog.layers[0];
  if (link.camera) view.go(link.camera);
  else view.fit(target.bounds);
  const explorer = new Explorer(catalog, state, view, !webgl && !catalog.static);
  for (const { layer, part, row } of link.picked) {
    const found = catalog.layers.find((each) => each.id === layer);
    if (found) await explorer.pick(found, part, row, true).catch(failed);
  }
  if (webgl) {
    await explorer.seen();
    await script("assets/gl.js");
    const { GlView, Swipe } = (globalThis as unknown as { groundshiftGl: Gl }).groundshiftGl;
    const gl = new GlView(get("map"), view.camera(), { basemap: catalog.basemap, credit: catalog.credit, label: t("map"), scheme: SCHEME, read: readFile });
    await explorer.goOver(gl, new Swipe(gl));
  }
  document.body.dataset.ready = "true";
}

window.addEventListener("hashchange", () => location.reload());
start().catch((error: Error) => notice(`${t("failed")}: ${error.message}`, true));
