/** The list of layers: shown or not, and which component of a map. */

import type { LayerInfo } from "../data/types";
import { element, get } from "../dom";
import { say, t } from "../i18n";
import { detail, name } from "../names";
import type { State } from "../state";

const LENS = '<svg viewBox="0 0 24 24" width="15" height="15" aria-hidden="true"><circle cx="11" cy="11" r="6"/><path d="M16 16l5 5"/></svg>';

export interface LayerActions {
  changed: () => void;
  zoom: (layer: LayerInfo) => void;
}

export function listLayers(layers: LayerInfo[], state: State, actions: LayerActions): void {
  get("layers").replaceChildren(...layers.map((layer) => row(layer, state, actions)));
}

function row(layer: LayerInfo, state: State, { changed, zoom }: LayerActions): HTMLElement {
  const box = element("input");
  box.type = "checkbox";
  box.id = `layer-${layer.id}`;
  box.checked = state.visible.has(layer.id);
  box.addEventListener("change", () => {
    if (box.checked) state.visible.add(layer.id);
    else state.visible.delete(layer.id);
    changed();
  });
  const label = element("label", {}, element("span", { class: "name", text: name(layer) }), element("span", { class: "detail", text: detail(layer) }));
  label.htmlFor = box.id;
  label.title = `${name(layer)}\n${detail(layer)}`;
  const button = element("button", { class: "ghost", html: LENS });
  button.title = t("zoom-to");
  button.setAttribute("aria-label", `${t("zoom-to")}: ${name(layer)}, ${detail(layer)}`);
  button.addEventListener("click", () => zoom(layer));
  const made = element("li", {}, box, label, button);
  made.dataset.kind = layer.kind;
  if (layer.kind === "relief") made.append(opacityOf(state, changed));
  if (layer.components) made.append(componentOf(layer, state, changed));
  return made;
}

function componentOf(layer: LayerInfo, state: State, changed: () => void): HTMLElement {
  const select = element("select");
  select.setAttribute("aria-label", name(layer));
  for (const each of [...layer.components!, "magnitude"]) {
    const option = element("option", { text: say(each) });
    option.value = each;
    option.selected = state.components.get(layer.id) === each;
    select.append(option);
  }
  select.addEventListener("change", () => {
    state.components.set(layer.id, select.value);
    changed();
  });
  return select;
}

function opacityOf(state: State, changed: () => void): HTMLElement {
  const slider = element("input");
  Object.assign(slider, { type: "range", min: "0.1", max: "1", step: "0.05", value: String(state.relief) });
  slider.setAttribute("aria-label", t("relief-opacity"));
  slider.title = t("relief-opacity");
  slider.addEventListener("input", () => {
    state.relief = slider.valueAsNumber;
    changed();
  });
  return slider;
}
