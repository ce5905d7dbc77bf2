/** Drawing on the map: an outline or a line. */

import { t } from "./i18n";
import type { View } from "./view";

const hint = document.getElementById("hint")!;

export class Pencil {
  private vertices: [number, number][] = [];
  private kind: "area" | "profile" | null = null;

  constructor(
    private readonly view: () => View,
    private readonly most: number,
    private readonly done: (kind: "area" | "profile", vertices: [number, number][]) => void,
    private readonly ended: () => void,
  ) {}

  get active(): "area" | "profile" | null {
    return this.kind;
  }

  start(kind: "area" | "profile"): void {
    this.vertices = [];
    this.kind = kind;
    this.view().cursor("crosshair");
    this.view().outline([], false);
    hint.textContent = t(kind === "area" ? "draw-area" : "draw-line");
    hint.hidden = false;
    document.body.classList.add("drawing");
  }

  add(longitude: number, latitude: number): void {
    const last = this.vertices[this.vertices.length - 1];
    if (last && last[0] === longitude && last[1] === latitude) return;
    if (this.vertices.length < this.most) this.vertices.push([longitude, latitude]);
    this.view().outline(this.vertices, this.kind === "area");
  }

  /** End the drawing, if it is enough for what is drawn. */
  finish(): void {
    const kind = this.kind;
    if (!kind || this.vertices.length < (kind === "area" ? 3 : 2)) return;
    const vertices = this.vertices;
    this.stop();
    this.done(kind, vertices);
  }

  cancel(): void {
    this.view().outline([], false);
    this.stop();
  }

  private stop(): void {
    this.kind = null;
    this.view().cursor("");
    hint.hidden = true;
    document.body.classList.remove("drawing");
    this.ended();
  }
}
