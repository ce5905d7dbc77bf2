/** Two images of the same ground, the one after uncovered by a divider. */

import maplibregl from "maplibre-gl";
import type { LayerInfo } from "../data/types";
import { baseStyle } from "../map/gl/style";
import type { GlView } from "../map/gl/view";

const cover = document.getElementById("after")!;
const divider = document.getElementById("divider") as HTMLInputElement;
const labels = document.getElementById("swipe-labels")!;

export class Swipe {
  private over: maplibregl.Map | null = null;
  private readonly follow = (): void => {
    this.over?.jumpTo({ center: this.view.map.getCenter(), zoom: this.view.map.getZoom() });
  };

  constructor(private readonly view: GlView) {
    divider.addEventListener("input", () => this.clip());
  }

  get active(): boolean {
    return this.over !== null;
  }

  start(before: LayerInfo, after: LayerInfo, url: string): void {
    cover.hidden = divider.hidden = labels.hidden = false;
    document.getElementById("before-name")!.textContent = before.title;
    document.getElementById("after-name")!.textContent = after.title;
    const style = baseStyle(null, null);
    style.sources.after = { type: "raster", tiles: [url], tileSize: 256, bounds: after.bounds, maxzoom: after.max_zoom ?? 18 };
    style.layers.push({ id: "after", type: "raster", source: "after", paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" } });
    this.over = new maplibregl.Map({ container: cover, style, interactive: false, attributionControl: false, renderWorldCopies: false });
    this.view.map.on("move", this.follow);
    this.follow();
    this.clip();
  }

  stop(): void {
    this.view.map.off("move", this.follow);
    this.over?.remove();
    this.over = null;
    cover.replaceChildren();
    cover.hidden = divider.hidden = labels.hidden = true;
  }

  private clip(): void {
    cover.style.clipPath = `inset(0 0 0 ${divider.value}%)`;
    cover.parentElement!.style.setProperty("--divider", `${divider.value}%`);
  }
}
