/** What layers are called. */

import type { LayerInfo } from "./data/types";
import { say, t, whole } from "./i18n";

export function name(layer: LayerInfo): string {
  if (layer.kind !== "points") return layer.title;
  return layer.level === "L3" ? `${layer.level} ${say(layer.component!)}` : `${layer.level} ${layer.orbit ? t(layer.orbit as "ascending") : say(layer.component!)}`;
}

/** Kind, size and time of a layer. */
export function detail(layer: LayerInfo): string {
  const years = layer.first && layer.last ? `${layer.first.slice(0, 4)}–${layer.last.slice(0, 4)}` : "";
  if (layer.kind === "points") return [layer.track ? `${t("track")} ${layer.track}` : say(layer.level!), `${whole(layer.points!)} ${t("points")}`, years].filter(Boolean).join(" · ");
  if (layer.kind === "map") return [t("map-kind"), layer.first && layer.last ? `${layer.first} → ${layer.last}` : ""].filter(Boolean).join(" · ");
  if (layer.kind === "stations") return `${layer.count} ${t("stations-kind")} · ${layer.frame}`;
  return layer.kind === "features" ? `${whole(layer.count!)} ${t(layer.count === 1 ? "feature-kind" : "features-kind")}` : t(layer.kind === "relief" ? "relief-kind" : "image-kind");
}
