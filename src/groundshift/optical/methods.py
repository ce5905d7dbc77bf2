"""One interface for every way to measure, and the registry that finds a method by name.

Inside this package displacement is *pixel flow*: (dx, dy) in pixels of the first image, x to the right and
y down, from the first image to the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundshift.model.reason import Reason

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig


class Nodes(NamedTuple):
    """Where to measure: a regular lattice inside a block, in pixel-centre coordinates of the block."""

    rows: np.ndarray  # float64 (i,), increasing, constant step
    cols: np.ndarray  # float64 (j,)

    def pixels(self) -> tuple[np.ndarray, ...]:
        """The index that takes the pixel of each node out of the block."""
        return np.ix_(*(np.floor(each + 0.5).astype(int) for each in self))


class PixelFlow(NamedTuple):
    """What a method returns for a lattice of nodes; every array has shape (i, j)."""

    dx: np.ndarray  # float32, pixels to the right; NaN where not measured
    dy: np.ndarray  # float32, pixels down
    dx_sigma: np.ndarray  # float32, one standard deviation, pixels
    dy_sigma: np.ndarray
    quality: np.ndarray  # float32, 0 to 1
    reason: np.ndarray  # uint8, groundshift.model.reason.Reason


def flow_where_valid(layers: Iterable[np.ndarray], reason: np.ndarray) -> PixelFlow:
    """Pixel flow of layers dx, dy, their sigmas and quality, float32, NaN where the reason is not VALID."""
    return PixelFlow(*(np.where(reason == Reason.VALID, each, np.nan).astype(np.float32) for each in layers), reason)


@dataclass(frozen=True)
class Method:
    """A way to measure pixel flow between two images on the same grid.

    `measure(pre, post, nodes, config)` takes float32 arrays (y, x) of equal shape with NaN where a pixel
    cannot be used, and returns a :class:`PixelFlow` on the nodes. It is a pure function: the flow at a node
    depends only on pixels within `reach(config)` of it.
    """

    name: str
    summary: str
    source: str
    dense: bool  # measures at every pixel by default; otherwise in windows
    reach: Callable[[PairConfig], int]  # pixels
    measure: Callable[[np.ndarray, np.ndarray, Nodes, PairConfig], PixelFlow]
    block: int = 0  # pixels: tiles have this side, if what is measured depends on them however little; 0: any
    border: bool = False  # whether it is also given what is beyond the images, without data
    alike: int = 0  # of a dense method: side of the squares over which errors count as one, pixels
    jump: float = 0.0  # of a window method: variance a squared pixel that a plane leaves of the spread of a window
    strain: float = 0.0  # of a window method: variance a squared pixel of spread among the nodes of a window
