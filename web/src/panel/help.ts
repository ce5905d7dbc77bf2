/** The page's help. */

import { get } from "../dom";
import { t } from "../i18n";

export function showHelp(): void {
  const dialog = get<HTMLDialogElement>("help-dialog");
  const [text, ...keys] = t("help-text").split("|");
  dialog.innerHTML = `<h2 id="help-title">${t("help-title")}</h2><p>${text}</p><ul>${keys.map((key) => `<li>${key}</li>`).join("")}</ul><form method="dialog"><button class="primary">${t("close")}</button></form>`;
  dialog.showModal();
}
