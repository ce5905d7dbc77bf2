/** Going to a place by its coordinates, or to what is shown by its name. */

import type { LayerInfo } from "../data/types";
import { element, get } from "../dom";
import { spanName } from "../drawer/features";
import { t, whole } from "../i18n";
import type { Shapes } from "../map/shapes";
import { notice } from "../notice";
import type { Page } from "../page";

const MOST = 8;

export interface SearchActions {
  go: (longitude: number, latitude: number) => void;
  choose: (layer: LayerInfo, feature: GeoJSON.Feature) => void;
}

export function wireSearch(page: Page, shapes: Shapes, { go, choose }: SearchActions): void {
  const box = get<HTMLInputElement>("sought");
  const close = (): void => void (get("found").hidden = true);
  get("search").addEventListener("submit", (event) => {
    event.preventDefault();
    close();
    const place = coordinates(box.value);
    if (place) return go(...place);
    const wanted = box.value.trim().toLowerCase();
    const named = page.shown("features", "stations").flatMap((layer) => shapes.of(layer).map((feature) => ({ layer, feature, name: spanName(feature.properties ?? {}, "") })));
    const found = wanted ? named.filter(({ name, feature }) => name.toLowerCase().includes(wanted) || String(feature.properties?.id ?? "").toLowerCase() === wanted) : [];
    const once = found.filter(({ name }, i) => found.findIndex((each) => each.name === name) === i);
    if (!once.length) return notice(t("not-found"));
    if (once.length === 1) return choose(once[0].layer, once[0].feature);
    const left = once.length - MOST;
    get("found").replaceChildren(
      ...once.slice(0, MOST).map(({ layer, feature, name }) => {
        const button = element("button", { text: name });
        button.type = "button";
        button.addEventListener("click", () => {
          close();
          choose(layer, feature);
        });
        return element("li", {}, button);
      }),
      ...(left > 0 ? [element("li", { class: "quiet", text: `${whole(left)} ${t("more-found")}` })] : []),
    );
    get("found").hidden = false;
  });
  box.addEventListener("input", close);
  box.addEventListener("keydown", (event) => event.key === "Escape" && close());
}

/** Longitude and latitude from "latitude, longitude": degrees with signs, or with minutes, seconds and N, S, E, W. */
export function coordinates(text: string): [number, number] | null {
  const [first, second, ...more] = /[,;]/.test(text) ? text.split(/[,;]/) : /[NS]/i.test(text) ? text.split(/(?<=[NS])/i) : text.trim().split(/\s+/);
  if (second === undefined || more.length) return null;
  const [latitude, longitude] = [degrees(first, "S"), degrees(second, "W")];
  return Math.abs(latitude) <= 85 && Math.abs(longitude) <= 180 ? [longitude, latitude] : null;
}

function degrees(text: string, negative: string): number {
  if (!/^\s*[-−+]?\d[\d.\s°º'′’"″]*[NSEWO]?\s*$/i.test(text)) return Number.NaN;
  const [whole, minutes = 0, seconds = 0] = text.match(/\d+(?:\.\d+)?/g)!.map(Number);
  const turned = /^\s*[-−]/.test(text) || text.trim().toUpperCase().endsWith(negative);
  return (turned ? -1 : 1) * (whole + minutes / 60 + seconds / 3600);
}
