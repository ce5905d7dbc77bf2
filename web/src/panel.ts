/** The panel beside the map: layers, colours, filter, legend. */

import type { Catalog, LayerInfo, TileData } from "./api";
import { LEVELS, type Scale } from "./color";
import { element } from "./drawer";
import { current, number, say, t, unit, whole } from "./i18n";
import { NO_LIMIT, type State, choose } from "./state";

const get = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

/** An arrow in the legend. */
export interface ArrowKey {
  title: string;
  value: number;
  unit: string;
  pixels: number;
  pale: boolean; // on the map
}

export class Panel {
  constructor(
    private readonly catalog: Catalog,
    private readonly state: State,
    private readonly changed: (what: "layers" | "colour" | "filter") => void,
    private readonly zoom: (layer: LayerInfo) => void,
  ) {
    this.wire();
    this.render();
  }

  render(): void {
    get("title").textContent = this.catalog.title;
    this.layers();
    this.colours();
    this.filterEnds();
    get("about").innerHTML = `groundshift ${this.catalog.version} · <a href="./NOTICE.txt">NOTICE</a>`;
    get("language").textContent = current() === "en" ? "FR" : "EN";
  }

  private layers(): void {
    const rows = this.catalog.layers.map((layer) => {
      const box = element("input");
      box.type = "checkbox";
      box.id = `layer-${layer.id}`;
      box.checked = this.state.visible.has(layer.id);
      box.addEventListener("change", () => {
        if (box.checked) this.state.visible.add(layer.id);
        else this.state.visible.delete(layer.id);
        this.changed("layers");
      });
      const label = element("label", {}, element("span", { class: "name", text: name(layer) }), element("span", { class: "detail", text: detail(layer) }));
      label.htmlFor = box.id;
      const button = element("button", { class: "ghost", html: '<svg viewBox="0 0 24 24" width="15" height="15" aria-hidden="true"><circle cx="11" cy="11" r="6"/><path d="M16 16l5 5"/></svg>' });
      button.setAttribute("aria-label", `Zoom: ${name(layer)}`);
      button.addEventListener("click", () => this.zoom(layer));
      const row = element("li", {}, box, label, button);
      row.dataset.kind = layer.kind;
      if (layer.components) row.append(this.component(layer));
      return row;
    });
    get("layers").replaceChildren(...rows);
  }

  private component(layer: LayerInfo): HTMLElement {
    const select = element("select");
    select.setAttribute("aria-label", name(layer));
    for (const each of [...layer.components!, "magnitude"]) {
      const option = element("option", { text: say(each) });
      option.value = each;
      option.selected = this.state.components.get(layer.id) === each;
      select.append(option);
    }
    select.addEventListener("change", () => {
      this.state.components.set(layer.id, select.value);
      this.changed("layers");
    });
    return select;
  }

  private colours(): void {
    const points = this.catalog.layers.filter((layer) => layer.kind === "points");
    const fields = Object.keys(this.catalog.fields).filter((field) => points.some((layer) => layer.fields?.[field]));
    fill(get("field"), fields.map((field) => [field, this.catalog.fields[field].label[current()]]), this.state.field);
    fill(get("palette"), Object.keys(this.catalog.palettes).map((each) => [each, each]), this.state.palette);
    get<HTMLInputElement>("low").value = String(this.state.low);
    get<HTMLInputElement>("high").value = String(this.state.high);
  }

  /** Range of the filter's sliders. */
  private domain(): [number, number] {
    const reach = Math.max(1, ...this.catalog.layers.map((layer) => Math.abs(layer.fields?.mean_velocity?.[1] ?? 0)));
    return [-3 * reach, 3 * reach];
  }

  private filterEnds(): void {
    const [low, high] = this.domain();
    const least = get<HTMLInputElement>("least");
    const largest = get<HTMLInputElement>("largest");
    for (const slider of [least, largest]) {
      slider.min = String(low);
      slider.max = String(high);
      slider.step = String((high - low) / 300);
    }
    least.value = String(Math.max(low, this.state.least));
    largest.value = String(Math.min(high, this.state.largest));
    const u = unit("mm/yr");
    get("least-value").textContent = this.state.least <= low ? `< ${number(low, 0)} ${u}` : `${number(this.state.least)} ${u}`;
    get("largest-value").textContent = this.state.largest >= high ? `> ${number(high, 0)} ${u}` : `${number(this.state.largest)} ${u}`;
    get("reset").hidden = this.state.least <= -NO_LIMIT && this.state.largest >= NO_LIMIT;
  }

  private wire(): void {
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
    for (const id of ["least", "largest"] as const) {
      get(id).addEventListener("input", () => {
        const [low, high] = this.domain();
        let a = get<HTMLInputElement>("least").valueAsNumber;
        let b = get<HTMLInputElement>("largest").valueAsNumber;
        if (a > b) [a, b] = id === "least" ? [b, b] : [a, a];
        this.state.least = a <= low ? -NO_LIMIT : a;
        this.state.largest = b >= high ? NO_LIMIT : b;
        this.filterEnds();
        this.changed("filter");
      });
    }
    get("reset").addEventListener("click", () => {
      this.state.least = -NO_LIMIT;
      this.state.largest = NO_LIMIT;
      this.filterEnds();
      this.changed("filter");
    });
  }

  /** Velocities of what is drawn, counted; drawn in the colours of the map where it is coloured by velocity. */
  histogram(tiles: TileData[], scale: Scale): void {
    const canvas = get<HTMLCanvasElement>("histogram");
    const [low, high] = this.domain();
    const bins = 74;
    const counts = new Float64Array(bins);
    let total = 0;
    let kept = 0;
    for (const tile of tiles) {
      for (let i = 0; i < tile.length; i++) {
        const velocity = tile.velocity[i];
        if (Number.isNaN(velocity)) continue;
        const weight = tile.count ? tile.count[i] : 1;
        total += weight;
        if (velocity >= this.state.least && velocity <= this.state.largest) kept += weight;
        counts[Math.max(0, Math.min(bins - 1, Math.floor(((velocity - low) / (high - low)) * bins)))] += weight;
      }
    }
    const pen = canvas.getContext("2d")!;
    const peak = Math.max(1, ...counts);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const width = canvas.width / bins;
    counts.forEach((count, i) => {
      const value = low + ((i + 0.5) / bins) * (high - low);
      const inside = value >= this.state.least && value <= this.state.largest;
      pen.fillStyle = !inside ? "#dde3e6" : this.state.field === "mean_velocity" ? scale.css(value) : "#7fa3ad";
      const height = count ? Math.max(2, Math.sqrt(count / peak) * (canvas.height - 4)) : 0;
      pen.fillRect(i * width, canvas.height - height, width - 1, height);
      if (inside && height) {
        pen.fillStyle = "#1d2b3344";
        pen.fillRect(i * width, canvas.height - height, width - 1, 1.5);
      }
    });
    get("shown").textContent = kept === total ? `${whole(total)} ${t("points")}` : `${whole(kept)} / ${whole(total)}`;
    canvas.setAttribute("aria-label", `${t("filter")}: ${whole(total)} ${t("points")}, ${number(low)} … ${number(high)} ${unit("mm/yr")}`);
  }

  legend(scale: Scale | null, mapLayer: LayerInfo | null, levels: boolean, arrows: ArrowKey[]): void {
    get("colour").hidden = get("filter").hidden = !scale;
    const figure = get("legend");
    figure.hidden = !scale && !mapLayer && !levels && !arrows.length;
    const blocks: HTMLElement[] = [];
    if (scale) {
      const field = this.catalog.fields[this.state.field];
      const shown = this.catalog.layers.filter((layer) => layer.kind === "points" && this.state.visible.has(layer.id));
      const components = new Set(shown.map((layer) => layer.component));
      const signs = field.centred && components.size === 1 ? say(`sign-${[...components][0]}`) : "";
      blocks.push(...block(field.label[current()], unit(field.unit), scale.gradient(), this.state.low, this.state.high, signs));
    }
    if (mapLayer) {
      const component = this.state.components.get(mapLayer.id)!;
      const [low, high] = mapLayer.fields![component];
      const stops = this.catalog.palettes[component === "magnitude" ? "viridis" : "motion"];
      blocks.push(...block(say(component), unit(mapLayer.unit ?? "m"), `linear-gradient(to right, ${stops.join(", ")})`, low, high, component === "magnitude" ? "" : say(`sign-${component}`)));
    }
    for (const { title, value, unit: units, pixels, pale } of arrows) {
      const shaft = element("span", { class: pale ? "arrow pale" : "arrow", html: ARROW });
      shaft.querySelector("svg")!.style.width = `${pixels}px`;
      blocks.push(element("div", { class: "arrows" }, shaft, element("span", { text: `${number(value, value < 1 ? Math.ceil(-Math.log10(value)) : 0)} ${unit(units)}` }), element("span", { class: "quiet", text: title })));
    }
    if (levels) {
      const keys = Object.entries(LEVELS).map(([level, colour]) => {
        const key = element("span", { text: say(`level-${level}`) });
        key.style.setProperty("--key", colour);
        return key;
      });
      blocks.push(element("figcaption", { html: `<b>${t("levels")}</b>` }), element("div", { class: "levels" }, ...keys));
    }
    figure.replaceChildren(...blocks);
  }
}

const ARROW = '<svg height="10" preserveAspectRatio="none" aria-hidden="true"><path d="M0 5h1000"/></svg><i></i>';

function block(title: string, units: string, gradient: string, low: number, high: number, signs: string): HTMLElement[] {
  const bar = element("div", { class: "bar" });
  bar.style.background = gradient;
  const middle = (low + high) / 2;
  const digits = Math.max(1, Math.min(4, 1 - Math.floor(Math.log10(high - low))));
  const ends = element("div", { class: "ends" }, ...[low, middle, high].map((value) => element("span", { text: number(value, Number.isInteger(value) ? 0 : digits) })));
  const made: HTMLElement[] = [element("figcaption", { html: `<b></b> <span></span>` }), bar, ends];
  made[0].querySelector("b")!.textContent = title;
  made[0].querySelector("span")!.textContent = units;
  if (signs) made.push(element("div", { class: "ends signs" }, ...signs.split("|").map((text, i) => element("span", { text: i ? `${text} →` : `← ${text}` }))));
  return made;
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

export function name(layer: LayerInfo): string {
  if (layer.kind !== "points") return layer.title;
  return layer.level === "L3" ? `${layer.level} ${say(layer.component!)}` : `${layer.level} ${layer.orbit ? t(layer.orbit as "ascending") : say(layer.component!)}`;
}

function detail(layer: LayerInfo): string {
  const years = layer.first && layer.last ? `${layer.first.slice(0, 4)}–${layer.last.slice(0, 4)}` : "";
  if (layer.kind === "points") return [layer.track ? `${t("track")} ${layer.track}` : say(layer.level!), `${whole(layer.points!)} ${t("points")}`, years].filter(Boolean).join(" · ");
  if (layer.kind === "map") return [t("map-kind"), layer.first && layer.last ? `${layer.first} → ${layer.last}` : ""].filter(Boolean).join(" · ");
  if (layer.kind === "stations") return `${layer.count} ${t("stations-kind")} · ${layer.frame}`;
  return layer.kind === "features" ? `${whole(layer.count!)} ${t(layer.count === 1 ? "feature-kind" : "features-kind")}` : t("image-kind");
}
