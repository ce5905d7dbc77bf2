/** The panel beside the map: layers, colours, filter. */

import type { Catalog, LayerInfo } from "../data/types";
import { element, get } from "../dom";
import { current, number, t, unit } from "../i18n";
import type { Drawn, Style } from "../map/view";
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
    drawHistogram(drawn, style, this.domain());
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
    fill(get("field"), fields.map((field) => [field, this.catalog.fields[field].label[current()]]), this.state.field);
    fill(get("palette"), Object.keys(this.catalog.palettes).map((each) => [each, each]), this.state.palette);
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
    const reach = Math.max(1, ...this.catalog.layers.map((layer) => Math.abs(layer.fields?.mean_velocity?.[1] ?? 0)));
    return [-3 * reach, 3 * reach];
  }

  private filterEnds(): void {
    const [low, high] = this.domain();
    const { least, largest } = this.state;
    const u = unit("mm/yr");
    const ends = { least: least <= low ? `< ${number(low, 0)} ${u}` : `${number(least)} ${u}`, largest: largest >= high ? `> ${number(high, 0)} ${u}` : `${number(largest)} ${u}` };
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
