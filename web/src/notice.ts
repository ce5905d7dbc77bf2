/** Short messages over the map. */

import { get } from "./dom";
import { t } from "./i18n";

const SHOWN = 6000; // ms
let timer = 0;
for (const id of ["notice", "map", "drawer"]) get(id).addEventListener("click", () => (get("notice").hidden = true), { capture: true }); // read, or in the way

export function notice(text: string, lasting = false): void {
  const box = get("notice");
  box.textContent = text;
  box.hidden = !text;
  window.clearTimeout(timer);
  if (text && !lasting) timer = window.setTimeout(() => (box.hidden = true), SHOWN);
}

export const failed = (error: Error): void => notice(`${t("failed")}: ${error.message}`);
