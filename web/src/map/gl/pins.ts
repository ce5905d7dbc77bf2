/** Marks of points, that follow the map. */

import type maplibregl from "maplibre-gl";
import { type Mark, markElement } from "../view";

export class Pins {
  private readonly box = document.createElement("div");
  private shown: Mark[] = [];

  constructor(private readonly map: maplibregl.Map, container: HTMLElement) {
    this.box.className = "pins";
    container.append(this.box);
    map.on("move", () => this.place());
  }

  set(marks: Mark[]): void {
    this.shown = marks;
    this.box.replaceChildren(...marks.map(markElement));
    this.place();
  }

  /** Put the marks where their points are. */
  private place(): void {
    const { clientWidth: width, clientHeight: height } = this.map.getContainer();
    this.shown.forEach(({ longitude, latitude }, i) => {
      const { x, y } = this.map.project([longitude, latitude]);
      const pin = this.box.children[i] as HTMLElement;
      pin.hidden = x < 0 || y < 0 || x > width || y > height;
      pin.style.left = `${x}px`;
      pin.style.top = `${y}px`;
    });
  }
}
