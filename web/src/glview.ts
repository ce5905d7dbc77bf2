/** The map in WebGL: MapLibre draws ground, pictures and lines, deck.gl the points. */

import { PathLayer, ScatterplotLayer } from "@deck.gl/layers";
import { MapboxOverlay } from "@deck.gl/mapbox";
import maplibregl from "maplibre-gl";
import type { LayerInfo } from "./api";
import { LEVELS, type Rgb, parse } from "./color";
import { COLOURS, EMPTY, type World } from "./ground";
import { type Camera, type Drawn, type Mark, type Picture, type Style, type View, margin, pointRadius, sheet } from "./view";

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
  private readonly pins = document.createElement("div");
  private readonly lent = new Map<string, string>(); // addresses of data of the map, by source
  private readonly parent: HTMLElement;
  private readonly above = new Map<string, (PathLayer | ScatterplotLayer)[]>(); // lines and places over the points
  private dots: ScatterplotLayer[] = [];
  private pinned: Mark[] = [];
  private bottom = 0;

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
      pitchWithRotate: false,
      touchPitch: false,
      renderWorldCopies: false,
      doubleClickZoom: false,
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new maplibregl.AttributionControl({ compact: false, customAttribution: plain(credit ? `${credit} · Natural Earth` : "Natural Earth") }), "bottom-right");
    this.map.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }), "bottom-right");
    this.map.addControl(this.overlay as unknown as maplibregl.IControl);
    this.map.getCanvas().setAttribute("aria-label", label);
    this.pins.className = "pins";
    container.append(this.pins);
    this.map.on("move", () => this.place());
  }

  ready(): Promise<void> {
    return new Promise((resolve) => (this.map.isStyleLoaded() ? resolve() : this.map.once("style.load", () => resolve())));
  }

  /** When everything that was given to it is on the screen. */
  async drawn(): Promise<void> {
    await new Promise<void>((resolve) => this.map.once("idle", () => resolve()));
    await new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));
  }

  remove(): void {
    this.map.remove();
    this.parent.remove();
  }

  camera(): Camera {
    const middle = this.map.getCenter();
    return { longitude: middle.lng, latitude: middle.lat, zoom: this.map.getZoom() };
  }

  bounds(): [number, number, number, number] {
    const box = this.map.getBounds();
    return [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
  }

  go(camera: Camera): void {
    this.map.jumpTo({ center: [camera.longitude, camera.latitude], zoom: camera.zoom });
  }

  fit(bounds: [number, number, number, number]): void {
    const padding = margin(this.map.getContainer());
    this.map.fitBounds(bounds, { padding: { top: padding, left: padding, right: padding, bottom: padding + this.bottom }, animate: false, maxZoom: 15 });
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
    const place = this.map.project([longitude, latitude]);
    return [place.x, place.y];
  }

  points(drawn: Drawn[], style: Style): void {
    const zoom = this.map.getZoom();
    this.dots = drawn.flatMap(({ layer, tiles }) =>
      tiles.map((tile) => {
        const cells = tile.kind === "cells";
        return new ScatterplotLayer({
          id: `${layer.id}/${tile.id}`,
          data: {
            length: tile.length,
            attributes: {
              getPosition: { value: tile.places, size: 2 },
              getFillColor: { value: style.scale.paint(tile, style.least, style.largest), size: 4, normalized: true },
            },
          } as never,
          radiusUnits: cells ? "common" : "pixels",
          getRadius: cells ? (0.54 * 512) / 2 ** tile.z / tile.side : pointRadius(zoom, layer.level === "L3"),
          radiusMinPixels: cells ? 1 : 0,
          stroked: !cells && zoom > 11,
          lineWidthUnits: "pixels",
          getLineWidth: 0.6,
          getLineColor: [25, 40, 50, 110],
          antialiasing: !cells,
          parameters: { depthCompare: "always" },
          pickable: false,
        });
      }),
    );
    this.compose();
  }

  private compose(): void {
    this.overlay.setProps({ layers: [...this.dots, ...[...this.above.values()].flat()] });
  }

  pictures(pictures: Picture[]): void {
    const wanted = new Map(pictures.map((picture) => [`picture-${picture.id}`, picture]));
    for (const { id } of this.map.getStyle().layers) {
      if (!id.startsWith("picture-")) continue;
      const source = this.map.getSource(id) as maplibregl.RasterTileSource | undefined;
      if (wanted.has(id) && source?.tiles?.[0] === wanted.get(id)!.url) continue;
      this.map.removeLayer(id);
      this.map.removeSource(id);
    }
    const above = this.map.getStyle().layers.find(({ id }) => id.startsWith("shape-"))?.id;
    for (const [id, { layer, url, size }] of wanted) {
      if (this.map.getSource(id)) {
        this.map.moveLayer(id, above);
        continue;
      }
      this.map.addSource(id, { type: "raster", tiles: [url], tileSize: size, bounds: layer.bounds, maxzoom: layer.max_zoom ?? 18 });
      this.map.addLayer({ id, type: "raster", source: id, paint: { "raster-resampling": "nearest", "raster-fade-duration": 0 } }, above);
    }
  }

  shapes(id: string, layer: LayerInfo | null, data: GeoJSON.FeatureCollection | null): void {
    const name = `shape-${id}`;
    for (const each of [name, `${name}-line`]) if (this.map.getLayer(each)) this.map.removeLayer(each);
    if (this.map.getSource(name)) this.map.removeSource(name);
    this.above.delete(name);
    if (layer && data) {
      const [plain, edge] = layer.kind === "stations" ? ["#1d2b33", "#ffffff"] : layer.kind === "map" ? ["#ffffff", "#1d2b33"] : ["#7a3b69", "#ffffff"];
      const colour = ["match", ["to-string", ["get", "level"]], ...Object.entries(LEVELS).flat(), plain] as unknown as maplibregl.ExpressionSpecification;
      this.map.addSource(name, { type: "geojson", data });
      this.map.addLayer({ id: name, type: "fill", source: name, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour, "fill-opacity": 0.12 } });
      if (vertices(data) > MOST_ABOVE) this.map.addLayer({ id: `${name}-line`, type: "line", source: name, paint: { "line-color": colour, "line-width": 1.8 } });
      else this.above.set(name, strokes(name, data, (feature) => LEVELS[String(feature.properties?.level)] ?? plain, edge, 1.8));
    }
    this.compose();
  }

  outline(vertices: [number, number][], closed: boolean): void {
    const line = closed && vertices.length > 2 ? [...vertices, vertices[0]] : vertices;
    const features: GeoJSON.Feature[] = vertices.map((place) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: place } }));
    if (line.length > 1) features.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } });
    this.above.delete("outline");
    this.above.set("outline", strokes("outline", { type: "FeatureCollection", features }, () => "#0f5f73", "#ffffff", 2.2));
    this.compose();
  }

  marks(marks: Mark[]): void {
    this.pinned = marks;
    this.pins.replaceChildren(
      ...marks.map(({ label, colour }) => {
        const pin = document.createElement("div");
        pin.className = "mark";
        pin.style.setProperty("--mark", colour);
        pin.textContent = label;
        return pin;
      }),
    );
    this.place();
  }

  /** Put the marks where their points are. */
  private place(): void {
    const { clientWidth: width, clientHeight: height } = this.map.getContainer();
    this.pinned.forEach(({ longitude, latitude }, i) => {
      const [x, y] = this.project(longitude, latitude);
      const pin = this.pins.children[i] as HTMLElement;
      pin.hidden = x < 0 || y < 0 || x > width || y > height;
      pin.style.left = `${x}px`;
      pin.style.top = `${y}px`;
    });
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

  cursor(name: string): void {
    this.map.getCanvas().style.cursor = name;
  }

  padding(bottom: number): void {
    this.bottom = bottom;
    this.map.getContainer().style.setProperty("--drawer", `${bottom}px`);
  }
}

export function baseStyle(world: World | null, basemap: string | null): maplibregl.StyleSpecification {
  const style: maplibregl.StyleSpecification = { version: 8, sources: {}, layers: [] };
  if (!world) return style;
  style.sources.land = { type: "geojson", data: world.land as GeoJSON.GeoJSON, maxzoom: 12, tolerance: 0.2 };
  style.sources.borders = { type: "geojson", data: world.borders, maxzoom: 9 };
  style.layers.push(
    { id: "sea", type: "background", paint: { "background-color": COLOURS.sea } },
    { id: "land", type: "fill", source: "land", paint: { "fill-color": COLOURS.land } },
    { id: "coast", type: "line", source: "land", paint: { "line-color": COLOURS.coast, "line-width": 0.8, "line-opacity": ["interpolate", ["linear"], ["zoom"], 9, 1, 13, 0.25] } },
    { id: "borders", type: "line", source: "borders", paint: { "line-color": COLOURS.border, "line-width": 0.8, "line-dasharray": [3, 2] } },
  );
  if (basemap) {
    style.sources.basemap = { type: "raster", tiles: [basemap], tileSize: 256 };
    style.layers.push({ id: "basemap", type: "raster", source: "basemap" });
  }
  return style;
}

/** Text as HTML that shows it. */
function plain(text: string): string {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML;
}

function vertices(data: GeoJSON.FeatureCollection): number {
  return data.features.reduce((sum, { geometry }) => sum + parts(geometry).lines.reduce((count, line) => count + line.length, 0), 0);
}

/** Lines, the edges of areas, and places, each over an edge that sets it off from what is below. */
function strokes(id: string, data: GeoJSON.FeatureCollection, colour: (feature: GeoJSON.Feature) => string, edge: string, width: number): (PathLayer | ScatterplotLayer)[] {
  const found = data.features.map((feature) => ({ ...parts(feature.geometry), colour: parse(colour(feature)), width: Number(feature.properties?.width ?? width) }));
  const paths = found.flatMap(({ lines, ...rest }) => lines.map((path) => ({ ...rest, path })));
  const places = found.flatMap(({ places, ...rest }) => places.map((position) => ({ ...rest, position })));
  const shared = { data: paths, getPath: (each: { path: number[][] }) => each.path as never, widthUnits: "pixels", jointRounded: true, capRounded: true, parameters: { depthCompare: "always" } } as const;
  const below = new PathLayer({ ...shared, id: `${id}-edge`, getColor: [...parse(edge), 180], getWidth: (each: { width: number }) => each.width + 1.8 } as never);
  const line = new PathLayer({ ...shared, id, getColor: (each: { colour: Rgb }) => each.colour, getWidth: (each: { width: number }) => each.width } as never);
  const circles = new ScatterplotLayer({
    id: `${id}-places`, data: places, getPosition: (each: { position: number[] }) => each.position as never, radiusUnits: "pixels", getRadius: 4, stroked: true,
    lineWidthUnits: "pixels", getLineWidth: 1.8, getFillColor: [255, 255, 255], getLineColor: (each: { colour: Rgb }) => each.colour, parameters: { depthCompare: "always" },
  } as never);
  return [below, line, circles];
}

function parts(geometry: GeoJSON.Geometry): { lines: number[][][]; places: number[][] } {
  if (geometry.type === "Point") return { lines: [], places: [geometry.coordinates] };
  if (geometry.type === "MultiPoint") return { lines: [], places: geometry.coordinates };
  if (geometry.type === "LineString") return { lines: [geometry.coordinates], places: [] };
  if (geometry.type === "MultiLineString" || geometry.type === "Polygon") return { lines: geometry.coordinates, places: [] };
  if (geometry.type === "MultiPolygon") return { lines: geometry.coordinates.flat(), places: [] };
  const all = geometry.geometries.map(parts);
  return { lines: all.flatMap(({ lines }) => lines), places: all.flatMap(({ places }) => places) };
}
