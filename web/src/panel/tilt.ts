/** How many times as large heights are drawn on a tilted map, and above what. */

import { get } from "../dom";
import { number, t } from "../i18n";
import type { Page } from "../page";
import { TIMES } from "../state";

/** `changed` is called when heights are drawn otherwise. */
export function wireTilt(page: Page, changed: () => void): void {
  const select = get<HTMLSelectElement>("times");
  select.replaceChildren(...TIMES.map((times) => new Option(`× ${times}`, String(times))));
  select.addEventListener("change", () => {
    page.state.times = Number(select.value);
    changed();
  });
}

export function tellTilt(page: Page): void {
  const { tilt } = page;
  get("heights").hidden = !tilt;
  if (!tilt) return;
  get<HTMLSelectElement>("times").value = String(tilt.times);
  get("heights-base").textContent = `${t("heights-above")} ${number(tilt.base, 0)} m`;
}
