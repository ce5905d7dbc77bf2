/** The map without WebGL: the first picture everywhere, and the only one where WebGL is missing. */

import type { LayerInfo } from "../../data/types";
import { t } from "../../i18n";
import { EMPTY, type World } from "../ground";
import { metresPerPixel, nice } from "../mercator";
import { FIT_ZOOM, type Camera, type Drawn, type Mark, type Outline, type Picture, type Shown, type Style, type View, margin, markElement, sheet } from "../view";
import { drawPoints } from "./dots";
import { Frame, fitted } from "./frame";
import { type Clicked, Gestures } from "./gestures";
import { drawLines } from "./lines";
import { drawGround } from "./paper";
import { Pictures } from "./pictures";

export class FlatView implements View {
  readonly gl = false;
  readonly lift = null;
  private at: Camera = { longitude: 10, latitude: 45, zoom: 3 };
  private readonly container: HTMLElement;
  private readonly paper = document.createElement("canvas");
  private readonly dots = document.createElement("canvas");
  private readonly lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  private readonly pins = document.createElement("div");
  private readonly scale = document.createElement("div");
  private readonly stage = document.createElement("div");
  private readonly images = new Pictures(this.stage);
  private readonly gestures: Gestures;
  private readonly watch = new ResizeObserver(() => this.draw());
  private readonly moved: (() => void)[] = [];
  private world = EMPTY;
  private drawn: { drawn: Drawn[]; style: Style } | null = null;
  private shown: Picture[] = [];
  private pinned: Mark[] = [];
  private line: Outline = { vertices: [], closed: false };
  private bottom = 0;
  private readonly shapesShown = new Map<string, Shown>();

  constructor(parent: HTMLElement, credit: string | null) {
    this.container = sheet(parent, "flat");
    this.container.tabIndex = 0;
    this.lines.setAttribute("aria-hidden", "true");
    this.container.setAttribute("role", "application");
    this.container.setAttribute("aria-label", t("map"));
    this.gestures = new Gestures(this.container, () => this.frame(), (camera) => this.go(camera));
    this.scale.className = "flat-scale";
    const source = document.createElement("div");
    source.className = "flat-credit";
    source.textContent = credit ? `${credit} · Natural Earth` : "Natural Earth";
    this.container.append(this.paper, this.stage, this.dots, this.lines, this.pins, this.buttons(), this.scale, source);
    this.watch.observe(this.container);
  }

  remove(): void {
    this.watch.disconnect();
    this.gestures.remove();
    this.container.remove();
  }

  /** Whether it is being dragged. */
  get held(): boolean {
    return this.gestures.held;
  }

  camera(): Camera {
    return { ...this.at };
  }

  bounds(): [number, number, number, number] {
    return this.frame().bounds();
  }

  go(camera: Camera): void {
    this.at = { ...camera, zoom: Math.max(0, Math.min(20, camera.zoom)) };
    this.draw();
    for (const moved of this.moved) moved();
  }

  fit(bounds: [number, number, number, number], largest = FIT_ZOOM): void {
    const { width, height } = this.frame();
    this.go(fitted(bounds, width, height, margin(this.container), this.bottom, largest));
  }

  onMove(moved: () => void): void {
    this.moved.push(moved);
  }

  onClick(clicked: Clicked): void {
    this.gestures.clicked.push(clicked);
  }

  onDoubleClick(clicked: () => void): void {
    this.container.addEventListener("dblclick", clicked);
  }

  onHover(moved: (longitude: number, latitude: number, x: number, y: number) => void): void {
    this.container.addEventListener("pointermove", (event) => {
      const { place, pixels } = this.gestures.place(event);
      moved(...place, ...pixels);
    });
  }

  project(longitude: number, latitude: number): [number, number] {
    return this.frame().project(longitude, latitude);
  }

  points(drawn: Drawn[], style: Style): void {
    this.drawn = { drawn, style };
    this.drawPoints(this.frame());
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

  outline(outline: Outline): void {
    this.line = outline;
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
    this.bottom = bottom;
    this.container.style.setProperty("--drawer", `${bottom}px`);
  }

  tilt(): void {
    // it has no third dimension
  }

  raise(pixels: number): void {
    this.go(this.frame().dragged(0, -pixels));
  }

  dress(): void {
    this.draw();
  }

  private frame(): Frame {
    return new Frame(this.at, this.container.clientWidth || 1, this.container.clientHeight || 1);
  }

  private buttons(): HTMLElement {
    const group = document.createElement("div");
    group.className = "flat-zoom";
    for (const [text, amount, label] of [["+", 1, "zoom-in"], ["−", -1, "zoom-out"]] as const) {
      const button = document.createElement("button");
      button.textContent = text;
      button.dataset.l = label;
      button.setAttribute("aria-label", t(label));
      button.addEventListener("click", () => this.gestures.zoomBy(amount));
      group.append(button);
    }
    return group;
  }

  private draw(): void {
    const frame = this.frame();
    drawGround(this.paper, this.world, frame);
    this.images.draw(this.shown, frame);
    this.drawPoints(frame);
    this.lines.innerHTML = drawLines(frame, this.shapesShown.values(), this.line);
    this.pins.replaceChildren(
      ...this.pinned.map((mark) => {
        const [x, y] = frame.project(mark.longitude, mark.latitude);
        const pin = markElement(mark);
        pin.style.cssText += `;position:absolute;left:${x}px;top:${y}px;transform:translate(-50%,-50%)`;
        return pin;
      }),
    );
    const metres = metresPerPixel(this.at);
    const length = nice(100 * metres);
    this.scale.style.width = `${length / metres}px`;
    this.scale.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  }

  private drawPoints(frame: Frame): void {
    if (this.drawn) drawPoints(this.dots, frame, this.drawn.drawn, this.drawn.style);
  }
}
