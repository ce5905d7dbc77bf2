/** Tiles that are pictures, laid on the map. */

import { SCHEME, read } from "../../data/files";
import { degrees, fraction } from "../mercator";
import { colours } from "../../theme";
import type { Picture } from "../view";
import type { Frame } from "./frame";

const MOST = 80; // tiles at once

export class Pictures {
  private readonly images = new Map<string, HTMLImageElement>();

  constructor(private readonly stage: HTMLElement) {}

  draw(pictures: Picture[], frame: Frame): void {
    const shown = new Set<string>();
    pictures.forEach((picture, order) => this.lay(picture, order, frame, shown));
    for (const [address, image] of this.images) {
      if (shown.has(address)) continue;
      image.remove();
      this.images.delete(address);
    }
  }

  private lay({ layer, url, size, relief }: Picture, order: number, frame: Frame, shown: Set<string>): void {
    const { zoom } = frame.camera;
    const z = Math.max(0, Math.min(layer.max_zoom ?? 18, Math.round(zoom) + (size === 512 ? 0 : 1)));
    const view = frame.bounds();
    const clip = layer.bounds;
    const numbers = (longitude: number, latitude: number): number[] => fraction(longitude, latitude).map((v) => Math.floor(v * 2 ** z));
    const [left, top] = numbers(Math.max(view[0], clip[0]), Math.min(view[3], clip[3]));
    const [right, bottom] = numbers(Math.min(view[2], clip[2]), Math.max(view[1], clip[1]));
    const side = frame.world / 2 ** z;
    const look = relief === null ? "" : `opacity:${relief};filter:brightness(${colours().relief})`;
    for (let x = left; x <= right; x++) {
      for (let y = top; y <= bottom; y++) {
        const [px, py] = frame.project(...degrees(x / 2 ** z, y / 2 ** z));
        if (px > frame.width || py > frame.height || shown.size > MOST) continue;
        const address = url.replace("{z}", String(z)).replace("{x}", String(x)).replace("{y}", String(y));
        shown.add(address);
        this.image(address).style.cssText = `${look};z-index:${order};left:${px}px;top:${py}px;width:${side + 0.5}px;height:${side + 0.5}px`;
      }
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
}
