/** Spans and segments of assets that move, the fastest first: a list to begin with. */

import type { LayerInfo } from "../data/types";
import { element, get } from "../dom";
import { sentence, spanName } from "../drawer/features";
import { number, t, whole } from "../i18n";
import { isVerdict, moves } from "../map/color";
import type { Shapes } from "../map/shapes";
import type { Page } from "../page";
import { verdictKey } from "../theme";

const MOST = 12;

/** A layer's feature that was chosen. */
export type Choose = (layer: LayerInfo, feature: GeoJSON.Feature) => void;

export function listSpans(page: Page, shapes: Shapes, choose: Choose): void {
  const found = page.shown("features").flatMap((layer) => shapes.of(layer).filter(({ properties }) => isVerdict(properties?.verdict)).map((feature) => ({ layer, feature })));
  get("spans").hidden = !found.length;
  if (!found.length) return get("span-list").replaceChildren();
  const speed = ({ properties }: GeoJSON.Feature): number => Math.abs(Number(properties?.motion ?? 0));
  const moving = found.filter(({ feature }) => moves(feature.properties?.verdict)).sort((a, b) => speed(b.feature) - speed(a.feature));
  get("spans-count").textContent = `${whole(moving.length)} / ${whole(found.length)}`;
  const rows = moving.slice(0, MOST).map(({ layer, feature }) => {
    const button = element("button", { class: "span" }, element("b", { text: spanName(feature.properties!, layer.title) }), element("span", { text: sentence(feature.properties!) }));
    button.style.setProperty("--key", verdictKey(String(feature.properties!.verdict)));
    button.addEventListener("click", () => choose(layer, feature));
    return element("li", {}, button);
  });
  const assets = new Set(found.filter(({ feature }) => feature.properties?.verdict !== "too few points").map(({ layer, feature }) => `${layer.id} ${feature.properties?.id}`)).size;
  if (!moving.length) rows.push(element("li", { class: "quiet", text: t("none-moves") }));
  if (moving.length > MOST) rows.push(element("li", { class: "quiet", text: `${whole(moving.length - MOST)} ${t("more")}` }));
  rows.push(element("li", { class: "quiet", text: `${t("by-chance")} ${number(assets / 100, assets < 10 ? 2 : assets < 500 ? 1 : 0)}` }));
  get("span-list").replaceChildren(...rows);
}
