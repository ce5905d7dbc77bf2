/** Areas and profiles: ask for what is inside an outline or along a line. */

import * as api from "../data/api";
import type { LayerInfo } from "../data/types";
import { save } from "../dom";
import * as drawer from "../drawer/drawer";
import { current, t } from "../i18n";
import { metresPerPixel } from "../map/mercator";
import type { Scene } from "../map/scene";
import type { Mark } from "../map/view";
import { name } from "../names";
import { failed, notice } from "../notice";
import type { Page } from "../page";
import { seriesKey } from "../theme";
import type { Kind, Vertices } from "./pencil";
import { uncover } from "./uncover";

const BAND = 24; // pixels that a profile is wide
const NARROWEST = 20; // metres
const WIDEST = 100_000;

export class Regions {
  /** `shown` is called when something else is in the drawer. */
  constructor(
    private readonly page: Page,
    private readonly scene: Scene,
    private readonly shown: () => void,
  ) {}

  /** Ask about what was drawn; of some points, or of the uppermost that are shown. */
  async ask(kind: Kind, vertices: Vertices, of?: LayerInfo): Promise<void> {
    const { state } = this.page;
    const layer = of ?? this.page.shown("points").at(-1) ?? (kind === "profile" ? this.page.shown("map").at(-1) : undefined);
    state.picked.length = 0;
    state.drawn = layer ? { kind, vertices } : null;
    this.scene.outline(layer ? vertices : [], kind === "area");
    this.scene.marks(layer && kind === "profile" ? ends(vertices) : []);
    if (!layer) return notice(t("no-layer"));
    notice(t("asking"), true);
    try {
      await (kind === "area" ? this.area(layer, vertices) : this.profile(layer, vertices));
      notice("");
      this.shown();
    } catch (error) {
      failed(error as Error);
    }
  }

  /** The same again, in another language. */
  again(): void {
    const { drawn } = this.page.state;
    if (drawn) void this.ask(drawn.kind, drawn.vertices);
  }

  private async area(layer: LayerInfo, vertices: Vertices): Promise<void> {
    const question = this.page.question;
    const label = this.page.catalog.fields[question.field].label[current()];
    const area = await this.page.latest(api.statistics(layer, vertices, question));
    const take = (format: string): void => void api.selection(layer, vertices, format, question).then((file) => save(file, `${layer.id}.${format}`), failed);
    if (!area) return;
    drawer.showArea(area, label, name(layer), take);
    uncover(this.page.view, vertices);
  }

  private async profile(layer: LayerInfo, vertices: Vertices): Promise<void> {
    const question = this.page.question;
    const width = Math.max(NARROWEST, Math.min(WIDEST, BAND * metresPerPixel(this.page.view.camera())));
    const label = layer.kind === "map" ? t("moved") : this.page.catalog.fields[question.field].label[current()];
    const profile = await this.page.latest(api.profile(layer, vertices, width, question));
    if (!profile) return;
    drawer.showProfile(profile, label, name(layer), (share) => this.scene.marks([...ends(vertices), ...(share === null ? [] : [along(vertices, share)])]));
    uncover(this.page.view, vertices);
  }
}

/** A and B, at the ends of a line. */
const ends = (line: Vertices) => [line[0], line[line.length - 1]].map(([longitude, latitude], i) => ({ longitude, latitude, label: "AB"[i], colour: seriesKey(0) }));

/** The place at a share of the length of a line. */
function along(line: Vertices, share: number): Mark {
  const squeeze = Math.cos((line[0][1] * Math.PI) / 180);
  const lengths = line.slice(1).map(([x, y], i) => Math.hypot((x - line[i][0]) * squeeze, y - line[i][1]));
  let left = share * lengths.reduce((sum, length) => sum + length, 0);
  let i = 0;
  while (i < lengths.length - 1 && left > lengths[i]) left -= lengths[i++];
  const part = left / (lengths[i] || 1);
  const [longitude, latitude] = [0, 1].map((k) => line[i][k] + part * (line[i + 1][k] - line[i][k]));
  return { longitude, latitude, label: "", colour: seriesKey(1) };
}
