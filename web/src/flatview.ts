/** The map without WebGL: the first picture everywhere, and the only one where WebGL is missing. */

import type { LayerInfo, TileData } from "./api";
import { LEVELS } from "./color";
import { SCHEME, read } from "./files";
import { COLOURS, EMPTY, type World } from "./ground";
import { t } from "./i18n";
import { degrees, fraction } from "./tiles";
import { type Camera, type Drawn, type Mark, type Picture, type Style, type View, margin, metresPerPixel, pointRadius, sheet } from "./view";

const MOST_PICTURES = 80;

export class FlatView implements View {
  readonly gl = false;
  private at: Camera = { longitude: 10, latitude: 45, zoom: 3 };
  private readonly container: HTMLElement;
  private readonly paper = document.createElement("canvas");
  private readonly dots = document.createElement("canvas");
  private readonly images = new Map<string, HTMLImageElement>();
  private readonly watch = new ResizeObserver(() => this.draw());
  private readonly released = (): void => void (this.from = null);
  private from: { x: number; y: number; camera: Camera } | null = null;
  private drawn: { drawn: Drawn[]; style: Style } | null = null;
  private readonly stage = document.createElement("div");
  private readonly lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  private readonly pins = document.createElement("div");
  private readonly scale = document.createElement("div");
  private world = EMPTY;
  private moved: (() => void)[] = [];
  private clicked: ((longitude: number, latitude: number, event: MouseEvent) => void)[] = [];
  private shown: Picture[] = [];
  private pinned: Mark[] = [];
  private drawnLine: { vertices: [number, number][]; closed: boolean } = { vertices: [], closed: false };
  private readonly shapesShown = new Map<string, { layer: LayerInfo; data: GeoJSON.FeatureCollection }>();

  constructor(parent: HTMLElement, credit: string | null) {
    this.container = sheet(parent, "flat");
    this.scale.className = "flat-scale";
    const source = document.createElement("div");
    source.className = "flat-credit";
    source.textContent = credit ? `${credit} · Natural Earth` : "Natural Earth";
    this.container.append(this.paper, this.stage, this.dots, this.lines, this.pins, this.buttons(), this.scale, source);
    this.container.tabIndex = 0;
    this.container.setAttribute("role", "application");
    this.container.setAttribute("aria-label", t("map"));
    this.listen();
    this.watch.observe(this.container);
  }

  remove(): void {
    this.watch.disconnect();
    window.removeEventListener("pointerup", this.released);
    this.container.remove();
  }

  /** Whether it is being dragged. */
  get held(): boolean {
    return this.from !== null;
  }

  camera(): Camera {
    return { ...this.at };
  }

  bounds(): [number, number, number, number] {
    const [width, height] = this.size();
    const [west, north] = this.unproject(0, 0);
    const [east, south] = this.unproject(width, height);
    return [west, south, east, north];
  }

  go(camera: Camera): void {
    this.at = { ...camera, zoom: Math.max(0, Math.min(20, camera.zoom)) };
    this.draw();
    for (const moved of this.moved) moved();
  }

  fit(bounds: [number, number, number, number]): void {
    const [width, height] = this.size();
    const [left, top] = fraction(bounds[0], bounds[3]);
    const [right, bottom] = fraction(bounds[2], bounds[1]);
    const free = 2 * margin(this.container);
    const zoom = Math.min(Math.log2((width - free) / 512 / Math.max(right - left, 1e-9)), Math.log2((height - free) / 512 / Math.max(bottom - top, 1e-9)));
    const [longitude, latitude] = degrees((left + right) / 2, (top + bottom) / 2);
    this.go({ longitude, latitude, zoom: Math.min(15, zoom) });
  }

  onMove(moved: () => void): void {
    this.moved.push(moved);
  }

  onClick(clicked: (longitude: number, latitude: number, event: MouseEvent) => void): void {
    this.clicked.push(clicked);
  }

  onDoubleClick(clicked: () => void): void {
    this.container.addEventListener("dblclick", clicked);
  }

  onHover(moved: (longitude: number, latitude: number, x: number, y: number) => void): void {
    this.container.addEventListener("pointermove", (event) => {
      const box = this.container.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      moved(...this.unproject(x, y), x, y);
    });
  }

  project(longitude: number, latitude: number): [number, number] {
    const [width, height] = this.size();
    const size = 512 * 2 ** this.at.zoom;
    const [x, y] = fraction(longitude, latitude);
    const [cx, cy] = fraction(this.at.longitude, this.at.latitude);
    return [(x - cx) * size + width / 2, (y - cy) * size + height / 2];
  }

  points(drawn: Drawn[], style: Style): void {
    this.drawn = { drawn, style };
    this.drawPoints();
  }

  pictures(pictures: Picture[]): void {
    this.shown = pictures;
    this.draw();
  }

  shapes(id: string, layer: LayerInfo | null, data: GeoJSON.FeatureCollection | null): void {
    if (layer && data) this.shapesShown.set(id, { layer, data });
    else this.shapesShown.delete(id);
    this.draw();
  }

  outline(vertices: [number, number][], closed: boolean): void {
    this.drawnLine = { vertices, closed };
    this.draw();
  }

  marks(marks: Mark[]): void {
    this.pinned = marks;
    this.draw();
  }

  ground(world: World): void {
    this.world = world;
    this.draw();
  }

  cursor(name: string): void {
    this.container.style.cursor = name;
  }

  padding(bottom: number): void {
    this.container.style.setProperty("--drawer", `${bottom}px`);
  }

  private size(): [number, number] {
    return [this.container.clientWidth || 1, this.container.clientHeight || 1];
  }

  private unproject(x: number, y: number): [number, number] {
    const [width, height] = this.size();
    const size = 512 * 2 ** this.at.zoom;
    const [cx, cy] = fraction(this.at.longitude, this.at.latitude);
    return degrees(cx + (x - width / 2) / size, cy + (y - height / 2) / size);
  }

  private zoomBy(amount: number): void {
    this.go({ ...this.at, zoom: this.at.zoom + amount });
  }

  private buttons(): HTMLElement {
    const group = document.createElement("div");
    group.className = "flat-zoom";
    for (const [text, amount] of [["+", 1], ["−", -1]] as const) {
      const button = document.createElement("button");
      button.textContent = text;
      button.setAttribute("aria-label", text);
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        this.zoomBy(amount);
      });
      group.append(button);
    }
    return group;
  }

  private listen(): void {
    let dragged = false;
    this.container.addEventListener("pointerdown", (event) => {
      if ((event.target as HTMLElement).closest("button")) return;
      this.from = { x: event.clientX, y: event.clientY, camera: this.camera() };
      dragged = false;
    });
    this.container.addEventListener("pointermove", (event) => {
      const from = this.from;
      if (!from) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!dragged && Math.hypot(dx, dy) < 4) return;
      dragged = true;
      const size = 512 * 2 ** from.camera.zoom;
      const [cx, cy] = fraction(from.camera.longitude, from.camera.latitude);
      const [longitude, latitude] = degrees(cx - dx / size, cy - dy / size);
      this.go({ ...from.camera, longitude, latitude });
    });
    window.addEventListener("pointerup", this.released);
    this.container.addEventListener("click", (event) => {
      if (dragged || (event.target as HTMLElement).closest("button")) return;
      const box = this.container.getBoundingClientRect();
      const place = this.unproject(event.clientX - box.left, event.clientY - box.top);
      for (const clicked of this.clicked) clicked(...place, event);
    });
    this.container.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 0.5 : -0.5);
    }, { passive: false });
    this.container.addEventListener("keydown", (event) => {
      const steps: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "+" || event.key === "=") this.zoomBy(1);
      else if (event.key === "-") this.zoomBy(-1);
      else if (steps[event.key]) {
        const [width, height] = this.size();
        const [longitude, latitude] = this.unproject(width / 2 + 100 * steps[event.key][0], height / 2 + 100 * steps[event.key][1]);
        this.go({ ...this.at, longitude, latitude });
      }
    });
  }

  private draw(): void {
    this.drawGround();
    this.drawPictures();
    this.drawPoints();
    this.drawLines();
    this.pins.replaceChildren(
      ...this.pinned.map((mark) => {
        const [x, y] = this.project(mark.longitude, mark.latitude);
        const pin = document.createElement("div");
        pin.className = "mark";
        pin.style.cssText = `--mark:${mark.colour};position:absolute;left:${x}px;top:${y}px;transform:translate(-50%,-50%)`;
        pin.textContent = mark.label;
        return pin;
      }),
    );
    const metres = metresPerPixel(this.at);
    const wanted = metres * 100;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].map((v) => v * power).find((v) => v <= wanted) ?? power;
    this.scale.style.width = `${nice / metres}px`;
    this.scale.textContent = nice >= 1000 ? `${nice / 1000} km` : `${nice} m`;
  }

  private drawGround(): void {
    const [width, height] = this.size();
    const ratio = window.devicePixelRatio || 1;
    this.paper.width = width * ratio;
    this.paper.height = height * ratio;
    const pen = this.paper.getContext("2d")!;
    pen.scale(ratio, ratio);
    pen.fillStyle = COLOURS.sea;
    pen.fillRect(0, 0, width, height);
    const land = this.world.land.type === "FeatureCollection" ? this.world.land.features : [this.world.land];
    const rings = land.flatMap(({ geometry }) => (geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.type === "Polygon" ? geometry.coordinates : []));
    pen.fillStyle = COLOURS.land;
    pen.strokeStyle = COLOURS.coast;
    this.trace(pen, rings, true);
    pen.fill("evenodd");
    pen.stroke();
    pen.strokeStyle = COLOURS.border;
    pen.setLineDash([3, 2]);
    this.trace(pen, this.world.borders.coordinates, false);
    pen.stroke();
  }

  /** Lay a path along the lines that may be in view. */
  private trace(pen: CanvasRenderingContext2D, lines: number[][][], closed: boolean): void {
    const view = this.bounds();
    const [width, height] = this.size();
    const world = 512 * 2 ** this.at.zoom;
    const [cx, cy] = fraction(this.at.longitude, this.at.latitude);
    pen.beginPath();
    for (const line of lines.filter((each) => touches(each, view))) {
      line.forEach(([longitude, latitude], i) => {
        const [x, y] = fraction(longitude, latitude);
        pen[i ? "lineTo" : "moveTo"]((x - cx) * world + width / 2, (y - cy) * world + height / 2);
      });
      if (closed) pen.closePath();
    }
  }

  private drawPictures(): void {
    const shown = new Set<string>();
    const [width, height] = this.size();
    for (const picture of this.shown) {
      const step = picture.size === 512 ? 0 : 1;
      const z = Math.max(0, Math.min(picture.layer.max_zoom ?? 18, Math.round(this.at.zoom) + step));
      const [west, south, east, north] = this.bounds();
      const clip = picture.layer.bounds;
      const [left, top] = fraction(Math.max(west, clip[0]), Math.min(north, clip[3])).map((v) => Math.floor(v * 2 ** z));
      const [right, bottom] = fraction(Math.min(east, clip[2]), Math.max(south, clip[1])).map((v) => Math.floor(v * 2 ** z));
      for (let x = left; x <= right; x++) {
        for (let y = top; y <= bottom; y++) {
          const place = this.project(...degrees(x / 2 ** z, y / 2 ** z));
          if (place[0] > width || place[1] > height || shown.size > MOST_PICTURES) continue;
          const address = picture.url.replace("{z}", String(z)).replace("{x}", String(x)).replace("{y}", String(y));
          const side = 512 * 2 ** (this.at.zoom - z);
          shown.add(address);
          this.image(address).style.cssText = `left:${place[0]}px;top:${place[1]}px;width:${side + 0.5}px;height:${side + 0.5}px`;
        }
      }
    }
    for (const [address, image] of this.images) {
      if (shown.has(address)) continue;
      image.remove();
      this.images.delete(address);
    }
  }

  /** The picture of an address, made when it is first wanted. */
  private image(address: string): HTMLImageElement {
    const kept = this.images.get(address);
    if (kept) return kept;
    const image = new Image();
    image.alt = "";
    image.draggable = false;
    this.images.set(address, image);
    this.stage.append(image);
    if (!address.startsWith(SCHEME)) image.src = address;
    else read(address.slice(SCHEME.length + 2)).then((bytes) => (image.src = URL.createObjectURL(new Blob([bytes]))), () => image.remove());
    return image;
  }

  /** Points, written into the pixels of a canvas. */
  private drawPoints(): void {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = this.size().map((side) => Math.round(side * ratio));
    this.dots.width = width;
    this.dots.height = height;
    if (!this.drawn) return;
    const { drawn, style } = this.drawn;
    const pen = this.dots.getContext("2d")!;
    const picture = pen.createImageData(width, height);
    const pixels = new Uint32Array(picture.data.buffer);
    const world = 512 * 2 ** this.at.zoom * ratio;
    const [cx, cy] = fraction(this.at.longitude, this.at.latitude);
    for (const { layer, tiles } of drawn) {
      for (const tile of tiles) {
        const side = tile.kind === "cells" ? world / 2 ** tile.z / tile.side : 2 * ratio * pointRadius(this.at.zoom, layer.level === "L3");
        const left = (tile.x / 2 ** tile.z - cx) * world + width / 2 - side / 2;
        const top = (tile.y / 2 ** tile.z - cy) * world + height / 2 - side / 2;
        const colours = new Uint32Array(style.scale.paint(tile, style.least, style.largest).buffer);
        stamp(pixels, width, tile, colours, { left, top, side, step: world / 2 ** tile.z / 65536, round: tile.kind === "points" });
      }
    }
    pen.putImageData(picture, 0, 0);
  }

  private drawLines(): void {
    const view = this.bounds();
    const path = (places: number[][], closed: boolean): string =>
      !touches(places, view) ? "" : places.map((place, i) => `${i ? "L" : "M"}${this.project(place[0], place[1]).map((v) => v.toFixed(1)).join(" ")}`).join("") + (closed ? "Z" : "");
    const stroke = (lines: string, colour: string, width: number): string =>
      `<path d="${lines}" fill="none" stroke="#fffc" stroke-width="${width + 2.2}"/><path d="${lines}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
    const drawn = new Map<string, string[]>();
    for (const { layer, data } of this.shapesShown.values()) {
      for (const { geometry, properties } of data.features) {
        const colour = LEVELS[String(properties?.level)] ?? (layer.kind === "features" ? "#7a3b69" : "#1d2b33");
        let lines = "";
        if (geometry.type === "Point") lines = circle(...this.project(geometry.coordinates[0], geometry.coordinates[1]));
        else if (geometry.type === "LineString") lines = path(geometry.coordinates, false);
        else if (geometry.type === "MultiLineString") lines = geometry.coordinates.map((line) => path(line, false)).join("");
        else if (geometry.type === "Polygon") lines = geometry.coordinates.map((ring) => path(ring, true)).join("");
        else if (geometry.type === "MultiPolygon") lines = geometry.coordinates.flat().map((ring) => path(ring, true)).join("");
        if (!drawn.has(colour)) drawn.set(colour, []);
        if (lines) drawn.get(colour)!.push(lines);
      }
    }
    const own = path(this.drawnLine.vertices, this.drawnLine.closed);
    this.lines.innerHTML = [...drawn].map(([colour, lines]) => stroke(lines.join(""), colour, 1.6)).join("") + stroke(own, "#0f5f73", 2.2);
  }
}

/** Whether a line may be in view. */
function touches(line: number[][], [west, south, east, north]: [number, number, number, number]): boolean {
  return line.some(([x]) => x > west) && line.some(([x]) => x < east) && line.some(([, y]) => y > south) && line.some(([, y]) => y < north);
}

/** A circle as a path. */
const circle = (x: number, y: number): string => `M${(x - 4).toFixed(1)} ${y.toFixed(1)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`;

interface Stamp {
  left: number; // of a point at the corner of the tile
  top: number;
  side: number;
  step: number; // pixels between places in the tile
  round: boolean; // discs with a dark edge; squares otherwise
}

/** Write the points of a tile. */
function stamp(pixels: Uint32Array, width: number, tile: TileData, colours: Uint32Array, { left, top, side, step, round }: Stamp): void {
  const height = pixels.length / width;
  const rows = Math.max(1, Math.round(side));
  const inset = Array.from({ length: rows }, (_, row) => (round ? Math.round(rows / 2 - Math.sqrt((rows / 2) ** 2 - (row + 0.5 - rows / 2) ** 2)) : 0));
  const edged = round && rows > 5;
  for (let i = 0; i < tile.length; i++) {
    const colour = colours[i];
    if (!colour) continue;
    const x = Math.round(left + tile.x16[i] * step);
    const y = Math.round(top + tile.y16[i] * step);
    if (x < -rows || y < -rows || x >= width || y >= height) continue;
    const dark = edged ? (0xff000000 | ((colour >>> 1) & 0x7f7f7f)) >>> 0 : colour;
    for (let row = Math.max(0, -y); row < Math.min(rows, height - y); row++) {
      const from = (y + row) * width;
      const [first, last] = [x + inset[row], x + rows - inset[row]];
      const whole = row === 0 || row === rows - 1;
      pixels.fill(whole ? dark : colour, from + Math.max(0, first), from + Math.min(width, Math.max(last, 0)));
      if (edged && first >= 0) pixels[from + first] = dark;
      if (edged && last <= width && last > 0) pixels[from + last - 1] = dark;
    }
  }
}
