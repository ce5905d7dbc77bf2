/** Where the page begins: the link and the catalog make the state, the state is drawn, WebGL takes over. */

import "maplibre-gl/dist/maplibre-gl.css";
import "./style.css";
import { catalog as fetchCatalog } from "./data/api";
import { FILM } from "./data/film";
import { SCHEME, read as readFile, script } from "./data/files";
import type { Catalog } from "./data/types";
import { get } from "./dom";
import { Explorer } from "./explorer";
import { current, setLanguage, t } from "./i18n";
import { FlatView } from "./map/flat/view";
import type { GlView } from "./map/gl/view";
import { failed, notice } from "./notice";
import { Page } from "./page";
import { fold, onPhone } from "./panel/fold";
import { type Link, type State, initial, read } from "./state";
import { dress } from "./theme";
import type { Swipe } from "./tools/swipe";

/** What the script of the WebGL map hands over: see gl.ts. */
interface Gl {
  GlView: typeof GlView;
  Swipe: typeof Swipe;
}

async function start(): Promise<void> {
  const link = read(location.hash);
  setLanguage(link.language ?? current());
  const catalog = await fetchCatalog();
  document.title = catalog.title;
  if (!catalog.layers.length) return notice(t("nothing"), true);
  const webgl = hasWebgl() && !new URLSearchParams(location.search).has("pictures");
  if (!webgl && !catalog.static) for (const { fields } of [catalog, ...catalog.layers]) delete fields?.[FILM]; // pictures have columns of points only
  const state = initial(catalog, link);
  if (onPhone()) fold(true);
  if (!webgl) notice(t(catalog.static ? "no-webgl-static" : "no-webgl"), true);
  const page = new Page(catalog, state, firstView(catalog, state, link), !webgl && !catalog.static);
  const explorer = new Explorer(page);
  for (const { layer, part, row } of link.picked) {
    const found = catalog.layers.find((each) => each.id === layer);
    if (found) await explorer.picking.pick(found, part, row, true).catch(failed);
  }
  if (link.drawn && !catalog.static) await explorer.ask(link.drawn);
  if (webgl) {
    await explorer.seen();
    await script("assets/gl.js");
    const { GlView, Swipe } = (globalThis as unknown as { groundshiftGl: Gl }).groundshiftGl;
    const gl = new GlView(get("map"), page.view.camera(), { basemap: catalog.basemap, credit: catalog.credit, label: t("map"), scheme: SCHEME, read: readFile });
    await explorer.goOver(gl, new Swipe(gl));
  }
  document.body.dataset.ready = "true";
}

/** The map without WebGL, at the place of the link, or around what is shown first. */
function firstView(catalog: Catalog, state: State, link: Link): FlatView {
  const view = new FlatView(get("map"), catalog.credit);
  const shown = catalog.layers.filter((layer) => state.visible.has(layer.id));
  const target = shown.find(({ kind }) => kind === "points") ?? shown.find(({ kind }) => kind === "map") ?? shown[0] ?? catalog.layers[0];
  if (link.camera) view.go(link.camera);
  else view.fit(target.bounds);
  return view;
}

function hasWebgl(): boolean {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null;
  } catch {
    return false;
  }
}

dress();
window.addEventListener("hashchange", () => location.reload());
start().catch((error: Error) => notice(`${t("failed")}: ${error.message}`, true));
