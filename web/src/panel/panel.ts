/** The panel beside the map: layers, colours, filter. */

import { FILM } from "../data/film";
import type { Catalog, LayerInfo } from "../data/types";
import { element, get } from "../dom";
import { current, number, t, unit } from "../i18n";
import type { Drawn, Style } from "../map/view";
import { isDark } from "../theme";
import { NO_LIMIT, type State, choose } from "../state";
import { drawHistogram } from "./histogram";
import { listLayers } from "./layers";

export class Panel {
  constructor(
    private readonly catalog: Catalog,
    private readonly state: State,
    private readonly changed: (what: "layers" | "colour" | "filter") => void,
    private readonly zoom: (layer: LayerInfo) => void,
  ) {
    this.wireColours();
    this.wireFilter();
    this.render();
  }

  render(): void {
    get("title").textContent = this.catalog.title;
    listLayers(this.catalog.layers, this.state, { changed: () => this.layersChanged(), zoom: this.zoom });
    this.colours();
    this.filterEnds();
    this.hideWithoutPoints();
    get("about").innerHTML = `groundshift ${this.catalog.version} · <a href="./NOTICE.txt">${t("licences")}</a>`;
    get("language").textContent = current() === "en" ? "FR" : "EN";
  }

  histogram(drawn: Drawn[], style: Style): void {
    const { label, unit: units } = this.catalog.fields[this.state.by];
    drawHistogram(drawn, style, this.domain(), label[current()], unit(units));
  }

  private layersChanged(): void {
    this.hideWithoutPoints();
    this.changed("layers");
  }

  /** Colour and filter are of points. */
  private hideWithoutPoints(): void {
    const points = this.catalog.layers.some((layer) => layer.kind === "points" && this.state.visible.has(layer.id));
    get("colour").hidden = get("filter").hidden = !points;
  }

  private colours(): void {
    const points = this.catalog.layers.filter((layer) => layer.kind === "points");
    const fields = Object.keys(this.catalog.fields).filter((field) => points.some((layer) => layer.fields?.[field]));
    const named = fields.map((field): [string, string] => [field, this.catalog.fields[field].label[current()]]);
    fill(get("field"), named, this.state.field);
    fill(get("by"), named.filter(([field]) => field !== FILM), this.state.by);
    get("by-row").hidden = fields.length < 2;
    get<HTMLInputElement>("size").value = String(this.state.size);
    get<HTMLInputElement>("opacity").value = String(this.state.opacity);
    fill(get("palette"), Object.keys(this.catalog.palettes).map((each) => [each, isDark() ? each.replace("white", "grey") : each]), this.state.palette);
    get<HTMLInputElement>("low").value = String(this.state.low);
    get<HTMLInputElement>("high").value = String(this.state.high);
    get("range").textContent = [t("range"), unit(this.catalog.fields[this.state.field].unit)].filter(Boolean).join(", ");
  }

  private wireColours(): void {
    get("field").addEventListener("change", (event) => {
      choose(this.state, this.catalog, (event.target as HTMLSelectElement).value);
      this.colours();
      this.changed("colour");
    });
    get("palette").addEventListener("change", (event) => {
      this.state.palette = (event.target as HTMLSelectElement).value;
      this.changed("colour");
    });
    for (const id of ["size", "opacity"] as const) {
      get(id).addEventListener("input", (event) => {
        this.state[id] = (event.target as HTMLInputElement).valueAsNumber;
        this.changed("colour");
      });
    }
    for (const id of ["low", "high"] as const) {
      get(id).addEventListener("change", (event) => {
        const value = (event.target as HTMLInputElement).valueAsNumber;
        if (Number.isFinite(value) && (id === "low" ? value < this.state.high : value > this.state.low)) this.state[id] = value;
        this.colours();
        this.changed("colour");
      });
    }
  }

  /** Range of the filter's sliders. */
  private domain(): [number, number] {
    const { by } = this.state;
    const limits = this.catalog.layers.flatMap((layer) => (layer.fields?.[by] ? [layer.fields[by]] : []));
    const [low, high] = [Math.min(...limits.map(([least]) => least)), Math.max(...limits.map(([, most]) => most))];
    if (!limits.length) return [-1, 1];
    if (this.catalog.fields[by].centred) return [-3 * high, 3 * high];
    const edge = (high - low) / 2;
    return [low >= 0 ? Math.max(0, low - edge) : low - edge, by === "temporal_coherence" ? Math.min(1, high + edge) : high + edge];
  }

  private filterEnds(): void {
    const [low, high] = this.domain();
    const { least, largest } = this.state;
    const u = unit(this.catalog.fields[this.state.by].unit);
    const digits = Math.max(0, Math.min(2, 3 - Math.ceil(Math.log10(high - low))));
    const write = (value: number): string => `${number(value, Number.isInteger(value) ? 0 : digits)} ${u}`;
    const ends = { least: least <= low ? `< ${write(low)}` : write(least), largest: largest >= high ? `> ${write(high)}` : write(largest) };
    for (const id of ["least", "largest"] as const) {
      const slider = get<HTMLInputElement>(id);
      slider.min = String(low);
      slider.max = String(high);
      slider.step = String((high - low) / 300);
      slider.value = String(Math.max(low, Math.min(high, this.state[id])));
      slider.setAttribute("aria-valuetext", ends[id]);
      get(`${id}-value`).textContent = ends[id];
    }
    get("reset").hidden = least <= -NO_LIMIT && largest >= NO_LIMIT;
  }

  private wireFilter(): void {
    const keep = (least: number, largest: number): void => {
      this.state.least = least;
      this.state.largest = largest;
      this.filterEnds();
      this.changed("filter");
    };
    for (const id of ["least", "largest"] as const) {
      get(id).addEventListener("input", () => {
        const [low, high] = this.domain();
        let a = get<HTMLInputElement>("least").valueAsNumber;
        let b = get<HTMLInputElement>("largest").valueAsNumber;
        if (a > b) [a, b] = id === "least" ? [b, b] : [a, a];
        keep(a <= low ? -NO_LIMIT : a, b >= high ? NO_LIMIT : b);
      });
    }
    get("by").addEventListener("change", (event) => {
      this.state.by = (event.target as HTMLSelectElement).value;
      keep(-NO_LIMIT, NO_LIMIT);
    });
    get("reset").addEventListener("click", () => keep(-NO_LIMIT, NO_LIMIT));
  }
}

function fill(select: HTMLElement, options: [string, string][], chosen: string): void {
  select.replaceChildren(
    ...options.map(([value, text]) => {
      const option = element("option", { text });
      option.value = value;
      option.selected = value === chosen;
      return option;
    }),
  );
}
