/** What mouse, fingers and keys do to the map without WebGL. */

import type { Camera } from "../view";
import type { Frame } from "./frame";

const STILL = 4; // pixels that a click may wander
const STEP = 100; // pixels of an arrow key
const ARROWS: Record<string, [number, number]> = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export type Clicked = (longitude: number, latitude: number, event: MouseEvent) => void;

export class Gestures {
  readonly clicked: Clicked[] = [];
  private from: { x: number; y: number; frame: Frame } | null = null;
  private dragged = false;
  private readonly released = (): void => void (this.from = null);

  constructor(
    private readonly container: HTMLElement,
    private readonly frame: () => Frame,
    private readonly go: (camera: Camera) => void,
  ) {
    container.addEventListener("pointerdown", (event) => this.press(event));
    container.addEventListener("pointermove", (event) => this.drag(event));
    window.addEventListener("pointerup", this.released);
    container.addEventListener("click", (event) => this.click(event));
    container.addEventListener("keydown", (event) => this.key(event.key));
    container.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 0.5 : -0.5);
    }, { passive: false });
  }

  /** Whether the map is being dragged. */
  get held(): boolean {
    return this.from !== null;
  }

  remove(): void {
    window.removeEventListener("pointerup", this.released);
  }

  zoomBy(amount: number): void {
    const { camera } = this.frame();
    this.go({ ...camera, zoom: camera.zoom + amount });
  }

  /** Degrees, and pixels from the corner of the map. */
  place(event: MouseEvent): { place: [number, number]; pixels: [number, number] } {
    const box = this.container.getBoundingClientRect();
    const pixels: [number, number] = [event.clientX - box.left, event.clientY - box.top];
    return { place: this.frame().unproject(...pixels), pixels };
  }

  private press(event: PointerEvent): void {
    if (onButton(event)) return;
    this.from = { x: event.clientX, y: event.clientY, frame: this.frame() };
    this.dragged = false;
  }

  private drag(event: PointerEvent): void {
    if (!this.from) return;
    const [dx, dy] = [event.clientX - this.from.x, event.clientY - this.from.y];
    if (!this.dragged && Math.hypot(dx, dy) < STILL) return;
    this.dragged = true;
    this.go(this.from.frame.dragged(dx, dy));
  }

  private click(event: MouseEvent): void {
    if (this.dragged || onButton(event)) return;
    const { place } = this.place(event);
    for (const clicked of this.clicked) clicked(...place, event);
  }

  private key(key: string): void {
    if (key === "+" || key === "=") this.zoomBy(1);
    else if (key === "-") this.zoomBy(-1);
    else if (ARROWS[key]) this.go(this.frame().dragged(STEP * ARROWS[key][0], STEP * ARROWS[key][1]));
  }
}

const onButton = (event: Event): boolean => (event.target as HTMLElement).closest("button") !== null;
