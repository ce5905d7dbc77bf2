/** What needs WebGL, a script of its own: the page has shown its first picture before it comes. */

import { GlView } from "./map/gl/view";
import { Swipe } from "./tools/swipe";

(globalThis as unknown as { groundshiftGl: unknown }).groundshiftGl = { GlView, Swipe };
