/** The page at work: what changes the state, and what is drawn anew then. */

import { fineLand, world } from "./data/world";
import { get } from "./dom";
import { redraw } from "./drawer/charts";
import * as drawer from "./drawer/drawer";
import { current, setLanguage, t } from "./i18n";
import { FlatView } from "./map/flat/view";
import type { GlView } from "./map/gl/view";
import { Scene } from "./map/scene";
import { failed, notice } from "./notice";
import type { Page } from "./page";
import { FilmBar } from "./panel/film";
import { fold, onPhone } from "./panel/fold";
import { showHelp } from "./panel/help";
import { drawLegend } from "./panel/legend";
import { Panel } from "./panel/panel";
import { wireSearch } from "./panel/search";
import { listSpans } from "./panel/spans";
import { tellTilt, wireTilt } from "./panel/tilt";
import { type Drawing, write } from "./state";
import { onDress, toggle } from "./theme";
import { Pencil } from "./tools/pencil";
import { Picking } from "./tools/picking";
import { Regions } from "./tools/regions";
import type { Swipe } from "./tools/swipe";
import { Toolbox } from "./tools/toolbox";

const REACH = 9; // pixels of a click
const FINE = 5; // zoom from which on finer outlines are worth it
const outlines = world();

export class Explorer {
  readonly picking: Picking;
  private readonly scene: Scene;
  private readonly panel: Panel;
  private readonly film: FilmBar;
  private readonly pencil: Pencil;
  private readonly regions: Regions;
  private readonly toolbox: Toolbox;
  private shownFirst = (): void => {};
  private readonly pointsShown = new Promise<void>((resolve) => (this.shownFirst = resolve));
  private refined = false;
  private timer = 0;
  private counting = 0;

  constructor(private readonly page: Page) {
    this.scene = new Scene(page, () => this.drawn(), () => this.legend(), failed);
    this.panel = new Panel(page.catalog, page.state, (what) => this.change(what), (layer) => page.view.fit(layer.bounds));
    this.film = new FilmBar(page, () => this.timeChanged());
    this.regions = new Regions(page, this.scene, () => this.remember());
    this.picking = new Picking(page, this.scene, () => this.remember(), (outline, points) => void this.regions.ask("area", outline, points));
    this.pencil = new Pencil(page, this.scene, (kind, vertices) => void this.regions.ask(kind, vertices), () => this.toolbox.press());
    this.toolbox = new Toolbox(page, this.pencil, this.picking, () => this.layersChanged());
    drawer.watch((height) => this.makeRoom(height));
    wireTilt(page, () => this.layersChanged());
    wireSearch(page, this.scene.shapes, { go: (longitude, latitude) => this.picking.go(longitude, latitude), choose: (layer, feature) => this.picking.choose(layer, feature) });
    this.buttons();
    this.listen();
    this.change("layers");
    outlines.then((ground) => this.scene.lay(ground), failed);
  }

  /** Ask again about what a link holds. */
  ask({ kind, vertices }: Drawing): Promise<void> {
    return this.regions.ask(kind, vertices);
  }

  /** When all points in view, and the land below them, are on the screen for the first time. */
  async seen(): Promise<void> {
    await Promise.allSettled([outlines, this.pointsShown]);
    await new Promise((resolve) => requestAnimationFrame(() => window.setTimeout(resolve)));
    performance.mark("first-picture");
  }

  /** Go over to the map in WebGL once it has drawn what is seen; until then the other one stays. */
  async goOver(gl: GlView, swipe: Swipe): Promise<void> {
    const { page, scene } = this;
    await gl.ready();
    gl.dress();
    scene.fill(gl);
    await gl.drawn();
    while (page.view instanceof FlatView && page.view.held) await new Promise((resolve) => window.setTimeout(resolve, 100));
    const [former, focused] = [page.view, get("map").contains(document.activeElement)];
    gl.go(former.camera());
    page.view = gl;
    gl.dress();
    scene.fill(gl);
    gl.padding(drawer.isOpen() ? get("drawer").offsetHeight : 0);
    if (this.pencil.active) gl.cursor("crosshair");
    if (page.state.times) scene.change(true); // points with their heights
    this.toolbox.take(swipe);
    this.listen();
    this.moved();
    former.remove();
    setLanguage(current()); // of the buttons of the map
    if (focused) gl.map.getCanvas().focus();
  }

  private change(what: "layers" | "colour" | "filter"): void {
    this.scene.change(what === "layers");
    this.legend();
    this.remember();
  }

  private timeChanged(): void {
    this.scene.redraw();
    this.remember();
  }

  private layersChanged(): void {
    this.panel.render();
    this.change("layers");
  }

  private moved(): void {
    this.scene.look();
    this.legend();
    this.remember();
  }

  private legend(): void {
    drawLegend(this.page, this.scene.shapes);
    this.film.render();
    tellTilt(this.page);
    listSpans(this.page, this.scene.shapes, (layer, feature) => this.picking.choose(layer, feature));
  }

  /** Points are on the map. */
  private drawn(): void {
    const { scene, page } = this;
    const drawn = scene.points();
    window.setTimeout(() => this.refine(), 500);
    window.clearTimeout(this.counting);
    this.counting = window.setTimeout(() => this.panel.histogram(drawn, page.style), 80);
    this.film.tell(drawn.some(({ tiles }) => tiles.some(({ pale }) => pale)));
    document.body.dataset.waiting = String(scene.waiting);
    document.body.dataset.drawn = String(drawn.flatMap(({ tiles }) => tiles).reduce((sum, tile) => sum + tile.length, 0));
    if (!scene.waiting) this.shownFirst();
  }

  /** Finer outlines of land, when the points are there. */
  private refine(): void {
    const { view } = this.page;
    if (!view.gl || this.refined || this.scene.waiting || view.camera().zoom < FINE) return;
    this.refined = true;
    Promise.all([fineLand(), outlines]).then(([land, { borders }]) => this.scene.lay({ land, borders }), () => (this.refined = false));
  }

  /** Put what is shown into the address, when it has been still for a moment. */
  private remember(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.address(), 250);
  }

  private address(): void {
    history.replaceState(null, "", write(this.page.state, this.page.view.camera(), this.page.catalog));
  }

  private listen(): void {
    const { view } = this.page;
    view.onMove(() => this.moved());
    view.onClick((longitude, latitude, event) => {
      get("tip").hidden = true; // a finger leaves it there
      if (this.pencil.active) this.pencil.add(longitude, latitude);
      else void this.picking.click(longitude, latitude, pixelsOf(event), event.shiftKey, REACH);
    });
    view.onDoubleClick(() => this.pencil.finish());
    view.onHover((longitude, latitude, x, y) => {
      if (this.pencil.active) get("tip").hidden = true;
      else view.cursor(this.picking.hover([longitude, latitude], x, y) ? "pointer" : "");
    });
  }

  private buttons(): void {
    get("close").addEventListener("click", () => this.picking.clear());
    get("map").addEventListener("pointerleave", () => (get("tip").hidden = true));
    get("help").addEventListener("click", showHelp);
    get("language").addEventListener("click", () => this.translate(current() === "en" ? "fr" : "en"));
    get("theme").addEventListener("click", toggle);
    onDress(() => this.dress());
    get("fold").addEventListener("click", () => fold(!document.body.classList.contains("folded")));
    get("share").addEventListener("click", () => {
      this.address();
      const written = navigator.clipboard?.writeText(location.href) ?? Promise.reject(new Error("no clipboard"));
      written.then(() => notice(t("copied")), () => notice(location.href, true));
    });
  }

  /** The page wears other colours. */
  private dress(): void {
    this.scene.dress();
    this.panel.render();
    this.legend();
    this.drawn();
    void redraw();
  }

  /** Make room for the drawer. */
  private makeRoom(height: number): void {
    const opened = height > 0 && !document.body.classList.contains("open");
    document.body.classList.toggle("open", height > 0);
    if (opened && onPhone()) fold(true);
    const taken = height && get("drawer").offsetHeight; // another one, if the panel has folded
    document.body.style.setProperty("--drawer", `${taken}px`);
    this.page.view.padding(taken);
  }

  private translate(language: "en" | "fr"): void {
    setLanguage(language);
    document.querySelector(".maplibregl-canvas, .flat")?.setAttribute("aria-label", t("map"));
    this.panel.render();
    this.change("colour");
    if (this.page.state.picked.length) this.picking.show();
    else this.regions.again();
  }
}

/** From the corner of the map. */
function pixelsOf(event: MouseEvent): [number, number] {
  const { left, top } = get("map").getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}
