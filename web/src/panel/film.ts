/** From when to when displacement is shown: two sliders, and a button that lets the time run. */

import { FILM, type Span, monthText, wholeSpan } from "../data/film";
import { get } from "../dom";
import { month, t } from "../i18n";
import type { Page } from "../page";

const BEAT = 180; // ms a month
const ENDS = ["film-from", "film-to"] as const;

export class FilmBar {
  private running = 0;
  private readonly whole: Span | null;

  /** `changed` is called when other months are shown. */
  constructor(
    private readonly page: Page,
    private readonly changed: () => void,
  ) {
    this.whole = wholeSpan(page.catalog.layers);
    for (const id of ENDS) get(id).addEventListener("input", () => this.slide(id));
    get("film-play").addEventListener("click", () => (this.running ? this.stop() : this.play()));
  }

  /** Show it if points are coloured by displacement. */
  render(): void {
    const shown = this.whole !== null && this.page.state.field === FILM && this.page.shown("points").length > 0;
    get("film").hidden = !shown;
    if (!shown || !this.whole) return this.stop();
    const { span } = this.page.state;
    ENDS.forEach((id, i) => {
      const slider = get<HTMLInputElement>(id);
      [slider.min, slider.max] = this.whole!.map(String);
      slider.value = String(span[i]);
      slider.setAttribute("aria-valuetext", month(span[i]));
    });
    get("film-months").textContent = span.map(month).join(" → ");
    const share = (value: number): string => `${(100 * (value - this.whole![0])) / (this.whole![1] - this.whole![0])}%`;
    get("film").style.setProperty("--from", share(span[0]));
    get("film").style.setProperty("--to", share(span[1]));
    get("film").dataset.span = span.map(monthText).join(" ");
    const button = get("film-play");
    const word = this.running ? "film-stop" : "film-play";
    button.textContent = this.running ? "❚❚" : "▶";
    button.dataset.l = word;
    button.setAttribute("aria-label", t(word));
    button.title = t(word);
  }

  /** Say whether tiles of too many points are in view. */
  tell(pale: boolean): void {
    get("film-note").textContent = t(pale ? "film-pale" : "film-note");
  }

  private slide(id: (typeof ENDS)[number]): void {
    this.stop();
    const { span } = this.page.state;
    const value = get<HTMLInputElement>(id).valueAsNumber;
    if (id === "film-from") span[0] = Math.min(value, span[1]);
    else span[1] = Math.max(value, span[0]);
    this.show();
  }

  /** Let the later month run from where it is, or from the earlier one, to the last. */
  private play(): void {
    const { span } = this.page.state;
    if (span[1] >= this.whole![1]) span[1] = span[0];
    this.running = window.setInterval(() => this.step(), BEAT);
    this.show();
  }

  private step(): void {
    const { span } = this.page.state;
    span[1] = Math.min(span[1] + 1, this.whole![1]);
    if (span[1] >= this.whole![1]) this.stop();
    this.show();
  }

  private stop(): void {
    if (!this.running) return;
    window.clearInterval(this.running);
    this.running = 0;
    this.render();
  }

  private show(): void {
    this.render();
    this.changed();
  }
}
