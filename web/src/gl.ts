/** What needs WebGL, a script of its own: the page has shown its first picture before it comes. */

import { GlView } from "./glview";
import { Swipe } from "./swipe";

(globalThis as unknown as { groundshiftGl: unknown }).groundshiftGl = { GlView, Swipe };
