/** The panel folded away, as on a phone, where the map comes first. */

import { get } from "../dom";

export const onPhone = (): boolean => window.matchMedia("(max-width: 720px)").matches;

export function fold(away: boolean): void {
  document.body.classList.toggle("folded", away);
  get("fold").setAttribute("aria-expanded", String(!away));
}
