/** Drawing on the map: an outline or a line. */

import { get } from "../dom";
import { t } from "../i18n";
import type { Scene } from "../map/scene";
import type { Page } from "../page";

export type Kind = "area" | "profile";
export type Vertices = [number, number][];

export class Pencil {
  private vertices: Vertices = [];
  private kind: Kind | null = null;

  constructor(
    private readonly page: Page,
    private readonly scene: Scene,
    private readonly done: (kind: Kind, vertices: Vertices) => void,
    private readonly changed: () => void,
  ) {
    get("draw-done").addEventListener("click", () => this.finish());
    get("draw-cancel").addEventListener("click", () => this.cancel());
  }

  get active(): Kind | null {
    return this.kind;
  }

  start(kind: Kind): void {
    this.vertices = [];
    this.kind = kind;
    this.page.view.cursor("crosshair");
    this.show();
    get("hint-text").textContent = t(kind === "area" ? "draw-area" : "draw-line");
    get("hint").hidden = false;
    document.body.classList.add("drawing");
    this.changed();
  }

  add(longitude: number, latitude: number): void {
    const last = this.vertices.at(-1);
    if (last && last[0] === longitude && last[1] === latitude) return;
    if (this.vertices.length < this.page.catalog.limits.vertices) this.vertices.push([longitude, latitude]);
    this.show();
  }

  /** End the drawing, if it is enough for what is drawn. */
  finish(): void {
    const kind = this.kind;
    if (!kind || !this.enough) return;
    const vertices = this.vertices;
    this.stop();
    this.done(kind, vertices);
  }

  cancel(): void {
    this.vertices = [];
    this.show();
    this.stop();
  }

  private get enough(): boolean {
    return this.vertices.length >= (this.kind === "area" ? 3 : 2);
  }

  private show(): void {
    this.scene.outline([...this.vertices], this.kind === "area");
    get("draw-done").hidden = !this.enough;
  }

  private stop(): void {
    this.kind = null;
    this.page.view.cursor("");
    get("hint").hidden = true;
    document.body.classList.remove("drawing");
    this.changed();
  }
}
