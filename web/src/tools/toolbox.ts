/** The buttons of the tools, and the keys of the page. */

import { pictures } from "../data/api";
import { get } from "../dom";
import * as drawer from "../drawer/drawer";
import { t } from "../i18n";
import { notice } from "../notice";
import type { Page } from "../page";
import { fold, onPhone } from "../panel/fold";
import { type Kind, Pencil } from "./pencil";
import type { Picking } from "./picking";
import { TIMES } from "../state";
import type { Swipe } from "./swipe";

const TOOLS = ["area", "profile", "compare", "swipe", "tilt"] as const;
type Tool = (typeof TOOLS)[number];
const KEYS: Record<string, Tool> = { a: "area", p: "profile", c: "compare", t: "tilt" };
const REACH = 60; // pixels from the middle of the map that Enter looks for a point in

export class Toolbox {
  private swipe: Swipe | null = null;
  private covered: Set<string> | null = null; // layers that were shown before the images are compared

  /** `layersChanged` is called when a tool shows other layers. */
  constructor(
    private readonly page: Page,
    private readonly pencil: Pencil,
    private readonly picking: Picking,
    private readonly layersChanged: () => void,
  ) {
    for (const tool of TOOLS) get(tool).addEventListener("click", () => this.toggle(tool));
    document.addEventListener("keydown", (event) => this.key(event));
    document.querySelector(".skip")!.addEventListener("click", (event) => {
      event.preventDefault(); // the address holds the view
      focusMap();
    });
    this.tidy();
  }

  /** Images can be compared now. */
  take(swipe: Swipe): void {
    this.swipe = swipe;
    this.tidy();
    this.press();
  }

  /** Show which tools are at work. */
  press(): void {
    const pressed: Record<Tool, boolean> = { area: this.pencil.active === "area", profile: this.pencil.active === "profile", compare: this.picking.comparing, swipe: this.swipe?.active ?? false, tilt: this.page.state.times !== null };
    for (const tool of TOOLS) get(tool).setAttribute("aria-pressed", String(pressed[tool]));
  }

  /** Hide the tools that have nothing to work on. */
  private tidy(): void {
    const kinds = this.page.catalog.layers.map((layer) => layer.kind);
    get("area").hidden = get("compare").hidden = !kinds.includes("points");
    get("profile").hidden = !kinds.includes("points") && !kinds.includes("map");
    get("tilt").hidden = !this.page.view.gl || !this.page.catalog.layers.some(({ kind, lowest }) => kind === "relief" || typeof lowest === "number");
    get("swipe").hidden = !this.swipe || kinds.filter((kind) => kind === "image").length < 2;
    get("tools").hidden = TOOLS.every((tool) => get(tool).hidden);
  }

  private toggle(tool: Tool): void {
    if (get(tool).hidden) return;
    if (onPhone()) fold(true); // the tools work on the map
    if (tool === "area" || tool === "profile") this.draw(tool);
    else if (tool === "tilt") this.tilt();
    else if (tool === "compare") {
      this.picking.comparing = !this.picking.comparing;
      if (this.picking.comparing) notice(t("comparing"));
    } else if (this.swipe) this.compareImages(this.swipe);
    this.press();
  }

  private draw(kind: Kind): void {
    if (this.pencil.active === kind) return this.pencil.cancel();
    if (this.page.catalog.static) return notice(t("static-only"));
    if (drawer.isOpen()) this.picking.clear(); // what is below it can be drawn on
    this.pencil.start(kind);
    focusMap();
  }

  /** Tilt the map, or lay it flat. */
  private tilt(): void {
    const { state } = this.page;
    if (this.swipe?.active) this.compareImages(this.swipe);
    state.times = state.times ? null : TIMES[1];
    this.layersChanged();
    this.picking.again();
  }

  private compareImages(swipe: Swipe): void {
    const { state, catalog } = this.page;
    state.times = null; // images are compared from above
    if (swipe.active) {
      swipe.stop();
      state.visible = this.covered ?? state.visible;
    } else {
      const [before, after] = catalog.layers.filter((layer) => layer.kind === "image");
      this.covered = new Set(state.visible);
      state.visible = new Set([before.id, ...this.page.shown("features", "stations").map((layer) => layer.id)]);
      this.page.view.fit(after.bounds);
      swipe.start(before, after, pictures(after, {}));
    }
    this.layersChanged();
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const typing = event.key !== "Escape" && target.closest("input, select");
    if (typing || target.closest("dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (this.pencil.active) this.pencil.cancel();
      else this.picking.clear();
    } else if (event.key === "Enter" && this.pencil.active && !target.closest("button")) {
      event.preventDefault();
      this.pencil.finish();
    } else if ((event.key === "Enter" || event.key === " ") && target.closest("#map") && !target.closest("button")) {
      event.preventDefault();
      this.middle(event.shiftKey);
    } else if (KEYS[event.key]) this.toggle(KEYS[event.key]);
  }

  /** The same as a click in the middle of the map. */
  private middle(add: boolean): void {
    const { longitude, latitude } = this.page.view.camera();
    if (this.pencil.active) this.pencil.add(longitude, latitude);
    else void this.picking.click(longitude, latitude, [get("map").clientWidth / 2, get("map").clientHeight / 2], add, REACH);
  }
}

/** Let keys go to the map. */
const focusMap = (): void => document.querySelector<HTMLElement>(".maplibregl-canvas, .flat")?.focus({ preventScroll: true });
