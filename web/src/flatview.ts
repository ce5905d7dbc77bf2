/** The map without WebGL: pictures that the server draws, moved by hand. */

import type { LayerInfo } from "./api";
import { degrees, fraction } from "./tiles";
import type { Camera, Drawn, Mark, Picture, Style, View } from "./view";
import { COLOURS, EMPTY, type World } from "./world";

export class FlatView implements View {
  readonly gl = false;
  private at: Camera = { longitude: 10, latitude: 45, zoom: 3 };
  private readonly paper = document.createElement("canvas");
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
  private readonly shapesShown = new Map<string, GeoJSON.FeatureCollection>();

  constructor(
    private readonly container: HTMLElement,
    credit: string | null,
  ) {
    container.classList.add("flat");
    this.scale.className = "flat-scale";
    const source = document.createElement("div");
    source.className = "flat-credit";
    source.textContent = credit ? `${credit} · Natural Earth` : "Natural Earth";
    container.append(this.paper, this.stage, this.lines, this.pins, this.buttons(), this.scale, source);
    container.tabIndex = 0;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(container);
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
    const zoom = Math.min(Math.log2((0.8 * width) / 512 / Math.max(right - left, 1e-9)), Math.log2((0.8 * height) / 512 / Math.max(bottom - top, 1e-9)));
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

  points(_drawn: Drawn[], _style: Style): void {
    // the server draws them: see pictures()
  }

  pictures(pictures: Picture[]): void {
    this.shown = pictures;
    this.draw();
  }

  shapes(id: string, layer: LayerInfo | null, data: GeoJSON.FeatureCollection | null): void {
    if (layer && data) this.shapesShown.set(id, data);
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
    let from: { x: number; y: number; camera: Camera } | null = null;
    let dragged = false;
    this.container.addEventListener("pointerdown", (event) => {
      if ((event.target as HTMLElement).closest("button")) return;
      from = { x: event.clientX, y: event.clientY, camera: this.camera() };
      dragged = false;
    });
    this.container.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!dragged && Math.hypot(dx, dy) < 4) return;
      dragged = true;
      const size = 512 * 2 ** from.camera.zoom;
      const [cx, cy] = fraction(from.camera.longitude, from.camera.latitude);
      const [longitude, latitude] = degrees(cx - dx / size, cy - dy / size);
      this.go({ ...from.camera, longitude, latitude });
    });
    window.addEventListener("pointerup", () => (from = null));
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
    const metres = (40075016.686 * Math.cos((this.at.latitude * Math.PI) / 180)) / (512 * 2 ** this.at.zoom);
    const wanted = metres * 100;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].map((v) => v * power).find((v) => v <= wanted) ?? power;
    this.scale.style.width = `${nice / metres}px`;
    this.scale.textContent = nice >= 1000 ? `${nice / 1000} km` : `${nice} m`;
  }

  private drawGround(): void {
    const [width, height] = this.size();
    this.paper.width = width;
    this.paper.height = height;
    const pen = this.paper.getContext("2d");
    if (!pen) return;
    pen.fillStyle = COLOURS.sea;
    pen.fillRect(0, 0, width, height);
    const land = this.world.land.type === "FeatureCollection" ? this.world.land.features : [this.world.land];
    const [west, south, east, north] = this.bounds();
    const seen = (ring: number[][]): boolean => ring.some(([x]) => x > west - 20) && ring.some(([x]) => x < east + 20) && ring.some(([, y]) => y > south - 20) && ring.some(([, y]) => y < north + 20);
    pen.beginPath();
    for (const { geometry } of land) {
      const polygons = geometry.type === "MultiPolygon" ? geometry.coordinates : geometry.type === "Polygon" ? [geometry.coordinates] : [];
      for (const ring of polygons.flat().filter(seen)) {
        ring.forEach(([x, y], i) => {
          const place = this.project(x, y);
          if (i) pen.lineTo(...place);
          else pen.moveTo(...place);
        });
        pen.closePath();
      }
    }
    pen.fillStyle = COLOURS.land;
    pen.strokeStyle = COLOURS.coast;
    pen.fill("evenodd");
    pen.stroke();
  }

  private drawPictures(): void {
    const images: HTMLImageElement[] = [];
    const [width, height] = this.size();
    for (const picture of this.shown) {
      const step = picture.size === 512 ? 0 : 1;
      const z = Math.max(0, Math.min(18, Math.round(this.at.zoom) + step));
      const [west, south, east, north] = this.bounds();
      const clip = picture.layer.bounds;
      const [left, top] = fraction(Math.max(west, clip[0]), Math.min(north, clip[3])).map((v) => Math.floor(v * 2 ** z));
      const [right, bottom] = fraction(Math.min(east, clip[2]), Math.max(south, clip[1])).map((v) => Math.floor(v * 2 ** z));
      for (let x = left; x <= right; x++) {
        for (let y = top; y <= bottom; y++) {
          const place = this.project(...degrees(x / 2 ** z, y / 2 ** z));
          const side = 512 * 2 ** (this.at.zoom - z);
          if (place[0] > width || place[1] > height || images.length > 80) continue;
          const image = new Image();
          image.src = picture.url.replace("{z}", String(z)).replace("{x}", String(x)).replace("{y}", String(y));
          image.alt = "";
          image.draggable = false;
          image.style.cssText = `left:${place[0]}px;top:${place[1]}px;width:${side}px;height:${side}px`;
          images.push(image);
        }
      }
    }
    this.stage.replaceChildren(...images);
  }

  private drawLines(): void {
    const path = (places: number[][], closed: boolean): string =>
      places.map((place, i) => `${i ? "L" : "M"}${this.project(place[0], place[1]).map((v) => v.toFixed(1)).join(" ")}`).join("") + (closed ? "Z" : "");
    const parts: string[] = [];
    for (const collection of this.shapesShown.values()) {
      for (const { geometry } of collection.features) {
        if (geometry.type === "LineString") parts.push(path(geometry.coordinates, false));
        else if (geometry.type === "MultiLineString") parts.push(...geometry.coordinates.map((line) => path(line, false)));
        else if (geometry.type === "Polygon") parts.push(...geometry.coordinates.map((ring) => path(ring, true)));
        else if (geometry.type === "MultiPolygon") parts.push(...geometry.coordinates.flat().map((ring) => path(ring, true)));
      }
    }
    const own = path(this.drawnLine.vertices, this.drawnLine.closed);
    this.lines.innerHTML = `<path d="${parts.join("")}" fill="none" stroke="#7a3b69" stroke-width="1.6"/><path d="${own}" fill="none" stroke="#0f5f73" stroke-width="2.4"/>`;
  }
}
