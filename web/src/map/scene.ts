/** From the state to the map: tiles of points, pictures, shapes, marks and what is drawn by hand. */

import * as api from "../data/api";
import { develop } from "../data/film";
import { PointTiles } from "../data/tiles";
import type { LayerInfo } from "../data/types";
import type { Page } from "../page";
import type { World } from "./ground";
import { Shapes } from "./shapes";
import type { Drawn, Mark, Outline, Picture, View } from "./view";

export class Scene {
  readonly shapes: Shapes;
  private readonly tiles = new Map<string, PointTiles>();
  private ground: World | null = null;
  private pins: Mark[] = [];
  private line: Outline = { vertices: [], closed: false };
  private frame = 0;

  /** `drawn` is called when points were drawn, `keys` when the legend may want others. */
  constructor(
    private readonly page: Page,
    private readonly drawn: () => void,
    keys: () => void,
    private readonly failed: (error: Error) => void,
  ) {
    this.shapes = new Shapes(page, keys, failed);
  }

  /** Layers, field, colours or filter are others. */
  change(layers: boolean): void {
    if (layers) this.shapes.change();
    const shown = this.page.shown("points");
    const { field, by } = this.page.state;
    const heights = this.page.tilt !== null;
    for (const [id, tiles] of this.tiles) {
      if (shown.some((layer) => layer.id === id) && tiles.field === field && tiles.by === by && tiles.heights === heights) continue;
      tiles.stop();
      this.tiles.delete(id);
    }
    for (const layer of shown) {
      if (!this.tiles.has(layer.id)) this.tiles.set(layer.id, new PointTiles(layer, field, by, heights, () => this.redraw(), this.failed));
    }
    if (layers) this.page.view.tilt(this.page.tilt);
    this.page.view.pictures(this.pictures());
    this.look();
  }

  /** Fetch and draw what is in view now. */
  look(): void {
    for (const tiles of this.tiles.values()) tiles.look(this.page.view);
    this.redraw();
  }

  lay(ground: World): void {
    this.ground = ground;
    this.page.view.ground(ground);
  }

  marks(marks: Mark[]): void {
    this.pins = marks;
    this.page.view.marks(marks);
  }

  outline(vertices: [number, number][], closed: boolean): void {
    this.line = { vertices, closed };
    this.page.view.outline(this.line);
  }

  /** Give a map all that is shown. */
  fill(view: View): void {
    view.tilt(this.page.tilt);
    if (this.ground) view.ground(this.ground);
    this.give(view);
  }

  private give(view: View): void {
    view.pictures(this.pictures());
    this.shapes.fill(view);
    view.points(this.points(), this.page.style);
    view.marks(this.pins);
    view.outline(this.line);
  }

  /** The page wears other colours. */
  dress(): void {
    this.page.view.dress();
    this.give(this.page.view);
  }

  /** Points that can be drawn now. */
  points(): Drawn[] {
    const drawn = [...this.tiles.values()].map((tiles) => ({ layer: tiles.layer, tiles: tiles.drawn() }));
    for (const tile of drawn.flatMap(({ tiles }) => tiles)) develop(tile, this.page.state.span);
    return drawn;
  }

  get waiting(): boolean {
    return [...this.tiles.values()].some((tiles) => tiles.waiting);
  }

  /** Draw the points again, as they are now. */
  redraw(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.page.pictured) this.page.view.points(this.points(), this.page.style);
      this.drawn();
    });
  }

  private pictures(): Picture[] {
    const { state, pictured } = this.page;
    const picture = (layer: LayerInfo, query: Record<string, string | number>, size = 256): Picture => ({ id: layer.id, layer, url: api.pictures(layer, query), size, relief: layer.kind === "relief" ? state.relief : null });
    const maps = this.page.shown("map").map((layer) => {
      const field = state.components.get(layer.id)!;
      const [low, high] = layer.fields![field];
      return picture(layer, { field, palette: field === "magnitude" ? "viridis" : "motion", low, high });
    });
    const { field, palette, low, high, by, least, largest } = state;
    const points = pictured ? this.page.shown("points").map((layer) => picture(layer, { field, palette, low, high, by, least, largest }, 512)) : [];
    const below = [...this.page.shown("relief"), ...this.page.shown("image")];
    return [...below.map((layer) => picture(layer, {})), ...maps, ...points];
  }
}
