/** What all rooms of the page share: what there is, what is shown, and the map that shows it. */

import { pictures } from "./data/api";
import { FILM } from "./data/film";
import type { Catalog, LayerInfo, Question } from "./data/types";
import { Scale } from "./map/color";
import type { Style, Tilt, View } from "./map/view";
import { isDark } from "./theme";
import type { State } from "./state";

export class Page {
  private turn = 0;

  constructor(
    readonly catalog: Catalog,
    readonly state: State,
    public view: View,
    readonly pictured: boolean, // the server draws the points
  ) {}

  /** Layers of some kinds that are shown, in the order of drawing. */
  shown(...kinds: LayerInfo["kind"][]): LayerInfo[] {
    return this.catalog.layers.filter((layer) => kinds.includes(layer.kind) && this.state.visible.has(layer.id));
  }

  get scale(): Scale {
    const { dark, palettes } = this.catalog;
    return new Scale((isDark() && !this.pictured ? dark : palettes)[this.state.palette], this.state.low, this.state.high);
  }

  get style(): Style {
    const { field, palette, by, least, largest, size, opacity } = this.state;
    return { field, palette, scale: this.scale, by, least, largest, size, opacity };
  }

  /** How the map is tilted: above the lowest of the relief, or else of the points. */
  get tilt(): Tilt | null {
    const { times } = this.state;
    if (!times || !this.view.gl) return null;
    const relief = this.shown("relief").at(-1);
    const lowest = this.shown("points").flatMap(({ lowest: each }) => (typeof each === "number" ? [each] : []));
    return { times, base: relief?.lowest ?? (lowest.length ? Math.min(...lowest) : 0), relief: relief ? { layer: relief, url: pictures(relief, { field: "height" }) } : null };
  }

  /** What is asked of areas and lines: displacements are the map's alone. */
  get question(): Question {
    const { field, by, least, largest } = this.state;
    return { field: field === FILM ? "mean_velocity" : field, by, least, largest };
  }

  /** An answer; null if something else was asked before it came. */
  async latest<T>(answer: Promise<T>): Promise<T | null> {
    const turn = ++this.turn;
    const value = await answer;
    return turn === this.turn ? value : null;
  }
}
