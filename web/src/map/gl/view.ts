/** The map in WebGL: MapLibre draws ground, pictures and lines, deck.gl the points. */

import { MapboxOverlay } from "@deck.gl/mapbox";
import maplibregl from "maplibre-gl";
import type { LayerInfo } from "../../data/types";
import { colours } from "../../theme";
import { EMPTY, type World } from "../ground";
import { fraction } from "../mercator";
import { FIT_ZOOM, type Camera, type Drawn, type Mark, type Outline, type Picture, type Style, type Tilt, type View, margin, shapeColours, sheet } from "../view";
import { pointLayers } from "./dots";
import { showPictures } from "./pictures";
import { Pins } from "./pins";
import { type Stroke, strokes, vertices } from "./strokes";
import { baseStyle, groundPaint } from "./style";
import { lifter, tiltMap } from "./tilted";

/** Vertices of lines that are drawn over the points; where there are more, the map draws them below, cut into tiles. */
const MOST_ABOVE = 30_000;

/** What the map takes from the page. */
export interface Surroundings {
  basemap: string | null;
  credit: string | null;
  label: string;
  scheme: string; // of addresses that `read` reads
  read: (path: string) => Promise<ArrayBuffer>;
}

export class GlView implements View {
  readonly gl = true;
  readonly map: maplibregl.Map;
  private readonly overlay = new MapboxOverlay({ interleaved: false, layers: [] });
  private readonly pins: Pins;
  private readonly lent = new Map<string, string>(); // addresses of data of the map, by source
  private readonly parent: HTMLElement;
  private readonly above = new Map<string, Stroke[]>(); // lines and places over the points
  private dots: ReturnType<typeof pointLayers> = [];
  private bottom = 0;
  private tilted: Tilt | null = null;
  private line: Outline = { vertices: [], closed: false };

  constructor(parent: HTMLElement, camera: Camera, { basemap, credit, label, scheme, read }: Surroundings) {
    maplibregl.addProtocol(scheme.replace(":", ""), async ({ url }) => ({ data: await read(url.slice(scheme.length + 2)) }));
    const container = sheet(parent, "gl");
    this.parent = container;
    this.map = new maplibregl.Map({
      container,
      style: baseStyle(EMPTY, basemap),
      center: [camera.longitude, camera.latitude],
      zoom: camera.zoom,
      maxZoom: 20,
      minZoom: 0,
      attributionControl: false,
      dragRotate: false,
      boxZoom: false, // Shift and a click adds a point
      pitchWithRotate: false,
      touchPitch: false,
      renderWorldCopies: false,
      doubleClickZoom: false,
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    for (const way of ["in", "out"]) container.querySelector<HTMLElement>(`.maplibregl-ctrl-zoom-${way}`)!.dataset.l = `zoom-${way}`; // named in the page's language
    this.map.addControl(new maplibregl.AttributionControl({ compact: false, customAttribution: escaped(credit ? `${credit} · Natural Earth` : "Natural Earth") }), "bottom-right");
    this.map.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }), "bottom-right");
    this.map.addControl(this.overlay as unknown as maplibregl.IControl);
    this.map.getCanvas().setAttribute("aria-label", label);
    this.pins = new Pins(this.map, container, (mark) => this.place(mark));
  }

  ready(): Promise<void> {
    return new Promise((resolve) => (this.map.isStyleLoaded() ? resolve() : this.map.once("style.load", () => resolve())));
  }

  /** When everything that was given to it is on the screen. */
  async drawn(): Promise<void> {
    await new Promise<void>((resolve) => this.map.once("idle", () => resolve()));
    const points = this.parent.querySelector<HTMLElement>("#deckgl-overlay");
    points?.setAttribute("aria-hidden", "true");
    if (points) points.tabIndex = -1; // keys go to the map's own canvas
    await new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));
  }

  remove(): void {
    this.map.remove();
    this.parent.remove();
  }

  camera(): Camera {
    const middle = this.map.getCenter();
    const turned = this.tilted ? { pitch: this.map.getPitch(), bearing: this.map.getBearing() } : {};
    return { longitude: middle.lng, latitude: middle.lat, zoom: this.map.getZoom(), ...turned };
  }

  bounds(): [number, number, number, number] {
    const box = this.map.getBounds();
    return [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
  }

  go(camera: Camera): void {
    const { longitude, latitude, zoom, pitch = 0, bearing = 0 } = camera;
    this.map.jumpTo({ center: [longitude, latitude], zoom, pitch, bearing });
  }

  fit(bounds: [number, number, number, number], largest = FIT_ZOOM): void {
    const padding = margin(this.map.getContainer());
    this.map.fitBounds(bounds, { padding: { top: padding, left: padding, right: padding, bottom: padding + this.bottom }, animate: false, maxZoom: largest });
  }

  onMove(moved: () => void): void {
    this.map.on("moveend", moved);
    this.map.on("zoom", moved);
  }

  onClick(clicked: (longitude: number, latitude: number, event: MouseEvent) => void): void {
    this.map.on("click", (event) => clicked(event.lngLat.lng, event.lngLat.lat, event.originalEvent));
  }

  onDoubleClick(clicked: () => void): void {
    this.map.on("dblclick", (event) => {
      event.preventDefault();
      clicked();
    });
  }

  onHover(moved: (longitude: number, latitude: number, x: number, y: number) => void): void {
    this.map.on("mousemove", (event) => moved(event.lngLat.lng, event.lngLat.lat, event.point.x, event.point.y));
  }

  project(longitude: number, latitude: number): [number, number] {
    return this.place({ longitude, latitude });
  }

  points(drawn: Drawn[], style: Style): void {
    this.dots = pointLayers(drawn, style, this.map.getZoom(), this.tilted);
    this.compose();
  }

  private compose(): void {
    this.overlay.setProps({ layers: [...this.dots, ...[...this.above.values()].flat()] });
  }

  pictures(pictures: Picture[]): void {
    showPictures(this.map, pictures);
  }

  shapes(id: string, layer: LayerInfo | null, data: GeoJSON.FeatureCollection | null): void {
    const name = `shape-${id}`;
    for (const each of [name, `${name}-line`]) if (this.map.getLayer(each)) this.map.removeLayer(each);
    if (this.map.getSource(name)) this.map.removeSource(name);
    this.above.delete(name);
    if (layer && data) {
      const { plain, edge, colour } = shapeColours(layer);
      const { verdicts, levels } = colours();
      const painted = ["match", ["to-string", ["get", "verdict"]], ...Object.entries(verdicts).flat(), ["match", ["to-string", ["get", "level"]], ...Object.entries(levels).flat(), plain]] as unknown as maplibregl.ExpressionSpecification;
      this.map.addSource(name, { type: "geojson", data });
      this.map.addLayer({ id: name, type: "fill", source: name, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": painted, "fill-opacity": 0.12 } });
      const draped = this.tilted?.relief; // the map lays lines on the ground
      if (draped || vertices(data) > MOST_ABOVE) this.map.addLayer({ id: `${name}-line`, type: "line", source: name, paint: { "line-color": painted, "line-width": draped ? 2.6 : 1.8 } });
      else this.above.set(name, strokes(name, data, colour, edge, 1.8));
    }
    this.compose();
  }

  outline(outline: Outline): void {
    this.line = outline;
    this.drawOutline();
  }

  private drawOutline(): void {
    const { vertices: corners, closed } = this.line;
    const vertices = corners.map(([longitude, latitude]) => [longitude, latitude, this.groundAt(longitude, latitude)]);
    const line = closed && vertices.length > 2 ? [...vertices, vertices[0]] : vertices;
    const features: GeoJSON.Feature[] = vertices.map((place) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: place } }));
    if (line.length > 1) features.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } });
    this.above.delete("outline");
    const { drawn, edge } = colours().lines;
    this.above.set("outline", strokes("outline", { type: "FeatureCollection", features }, () => drawn, edge, 2.2));
    this.compose();
  }

  marks(marks: Mark[]): void {
    this.pins.set(marks);
  }

  ground({ land, borders }: World): void {
    this.lend("land", land as GeoJSON.GeoJSON);
    this.lend("borders", borders);
  }

  /** Give a source much data by an address: the worker reads it, not the page's own thread. From disk it may not. */
  private lend(source: string, data: GeoJSON.GeoJSON): void {
    if (location.protocol === "file:") {
      (this.map.getSource(source) as maplibregl.GeoJSONSource).setData(data);
      return;
    }
    const address = URL.createObjectURL(new Blob([JSON.stringify(data)]));
    (this.map.getSource(source) as maplibregl.GeoJSONSource).setData(address);
    const former = this.lent.get(source);
    if (former) URL.revokeObjectURL(former);
    this.lent.set(source, address);
  }

  dress(): void {
    for (const [layer, property, value] of groundPaint()) this.map.setPaintProperty(layer, property as never, value as never);
  }

  get lift(): View["lift"] {
    return this.tilted && lifter(this.map, this.tilted);
  }

  tilt(tilt: Tilt | null): void {
    const first = !this.tilted;
    this.tilted = tilt;
    tiltMap(this.map, tilt, first);
    this.drawOutline();
  }

  raise(pixels: number): void {
    this.map.panBy([0, pixels], { animate: false });
  }

  /** Height of the ground above the base as it is drawn, m. */
  private groundAt(longitude: number, latitude: number): number {
    return this.map.queryTerrainElevation([longitude, latitude]) ?? 0;
  }

  /** Pixels of a place, at its height or on the ground. */
  private place({ longitude, latitude, height }: Pick<Mark, "longitude" | "latitude" | "height">): [number, number] {
    if (this.tilted && height !== undefined) return this.lift!(...fraction(longitude, latitude), height);
    const { x, y } = this.map.project([longitude, latitude]);
    return [x, y];
  }

  cursor(name: string): void {
    this.map.getCanvas().style.cursor = name;
  }

  padding(bottom: number): void {
    this.bottom = bottom;
    this.map.getContainer().style.setProperty("--drawer", `${bottom}px`);
  }
}

/** Text as HTML that shows it. */
function escaped(text: string): string {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML;
}
