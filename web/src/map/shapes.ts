/** Shapes of layers: features, stations with the arrows of their motion, arrows over maps. */

import * as api from "../data/api";
import type { LayerInfo } from "../data/types";
import type { Page } from "../page";
import { arrowScale, drawArrows } from "./arrows";
import type { View } from "./view";

const ARROWS = "-arrows"; // end of the name of arrows over a map

/** Arrows in view: of a layer, and the degrees of latitude that a unit is drawn as. */
export interface ShownArrows {
  layer: LayerInfo;
  scale: number;
}

export class Shapes {
  private readonly data = new Map<string, GeoJSON.FeatureCollection>();
  private readonly scales = new Map<string, number>();

  constructor(
    private readonly page: Page,
    private readonly changed: () => void,
    private readonly failed: (error: Error) => void,
  ) {}

  /** Show what the state wants, and load what is not there yet. */
  change(): void {
    for (const layer of this.page.catalog.layers) {
      const id = name(layer);
      if (id) this.show(layer, id).catch(this.failed);
    }
  }

  /** Give a map all that is shown. */
  fill(view: View): void {
    for (const layer of this.page.catalog.layers) {
      const id = name(layer);
      const data = id && this.data.get(id);
      if (id && data && this.wanted(layer)) view.shapes(id, layer, data);
    }
  }

  of(layer: LayerInfo): GeoJSON.Feature[] {
    return this.data.get(layer.id)?.features ?? [];
  }

  arrows(): ShownArrows[] {
    return this.page.shown("map", "stations").flatMap((layer) => {
      const scale = this.scales.get(layer.id);
      return scale && this.wanted(layer) ? [{ layer, scale }] : [];
    });
  }

  private wanted(layer: LayerInfo): boolean {
    const { visible, components } = this.page.state;
    return visible.has(layer.id) && (layer.kind !== "map" || components.get(layer.id) === "magnitude");
  }

  private async show(layer: LayerInfo, id: string): Promise<void> {
    if (this.wanted(layer) && !this.data.has(id)) this.data.set(id, await this.load(layer));
    this.page.view.shapes(id, this.wanted(layer) ? layer : null, this.data.get(id) ?? null);
    this.changed();
  }

  private async load(layer: LayerInfo): Promise<GeoJSON.FeatureCollection> {
    if (layer.kind === "map") return this.asArrows(layer, await api.arrows(layer));
    const data = await api.features(layer);
    if (layer.kind !== "stations") return data;
    const moving = data.features.filter(({ geometry, properties }) => geometry.type === "Point" && properties?.east != null && properties.north != null);
    const arrows = this.asArrows(layer, { type: "FeatureCollection", features: moving });
    return { type: "FeatureCollection", features: [...arrows.features, ...data.features] };
  }

  private asArrows(layer: LayerInfo, data: GeoJSON.FeatureCollection): GeoJSON.FeatureCollection {
    const scale = arrowScale(data, layer.bounds);
    this.scales.set(layer.id, scale);
    return drawArrows(data, layer.bounds, scale);
  }
}

/** The name of the shapes of a layer; null if it has none. */
const name = ({ id, kind }: LayerInfo): string | null => (kind === "map" ? id + ARROWS : kind === "features" || kind === "stations" ? id : null);
