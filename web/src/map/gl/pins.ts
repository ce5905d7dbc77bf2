/** Marks of points, that follow the map. */

import type maplibregl from "maplibre-gl";
import { type Mark, markElement } from "../view";

export class Pins {
  private readonly box = document.createElement("div");
  private shown: Mark[] = [];

  constructor(private readonly map: maplibregl.Map, container: HTMLElement, private readonly at: (mark: Mark) => [number, number]) {
    this.box.className = "pins";
    container.append(this.box);
    map.on("render", () => this.place()); // heights of the ground come later
  }

  set(marks: Mark[]): void {
    this.shown = marks;
    this.box.replaceChildren(...marks.map(markElement));
    this.place();
  }

  /** Put the marks where their points are. */
  private place(): void {
    const { clientWidth: width, clientHeight: height } = this.map.getContainer();
    this.shown.forEach((mark, i) => {
      const [x, y] = this.at(mark);
      const pin = this.box.children[i] as HTMLElement;
      pin.hidden = !(x >= 0 && y >= 0 && x <= width && y <= height);
      pin.style.left = `${x}px`;
      pin.style.top = `${y}px`;
    });
  }
}
