"""Whether two images have anything in common: what is measured between images that have not means nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import fft, ndimage

from groundshift.grid.tiles import Box
from groundshift.io import Image
from groundshift.kernels.threads import side_by_side
from groundshift.optical.coregister import Shift

_WINDOW = 48  # pixels a side
_WINDOWS = 8  # along each axis
_REACH = 32  # pixels, at the most, that the match of a window is looked for
_COARSE = 6.0  # pixels: sigma of what is taken off as brightness
_FEWEST = 16  # windows that can tell
_BY_CHANCE = 2.0  # standard deviations of a coin thrown once for each window


class Related(NamedTuple):
    """How many windows of the first image fit the second better where they should than elsewhere."""

    windows: int
    fitting: int

    @property
    def unrelated(self) -> bool:
        """Whether as many, or fewer, fit images that have nothing in common; false where too few windows can tell."""
        by_chance = self.windows / 2 + _BY_CHANCE * np.sqrt(self.windows) / 2
        return self.windows >= _FEWEST and self.fitting <= by_chance

    def record(self) -> dict[str, Any]:
        """For the record of a run."""
        return {**self._asdict(), "unrelated": bool(self.unrelated)}


def related(pre: Image, post: Image, shift: Shift, *, max_displacement: float) -> Related:
    """Count the windows of the first image that fit the second where they should better than in another place.

    A window is looked for in the second image around its own place, and around that of the window that lies half a
    scene away: by its largest normalised cross-correlation (Lewis 1995) within the largest displacement. Between images
    that have nothing in common the two are alike, and one is as often the larger as the other.

    Parameters
    ----------
    pre, post
        Images on the same grid.
    shift
        Whole pixels by which the second image is read off the first.
    max_displacement
        Pixels, around the shift.
    """
    reach = int(min(np.ceil(max_displacement), _REACH))
    side = _WINDOW + 2 * reach
    boxes = [Box(top, left, top + side, left + side) for top, left in _places(tuple(pre.grid.shape), side)]
    areas = [(pre.read(box).values, post.read(box.shifted(shift.dy, shift.dx)).values) for box in boxes]
    looks = [look for look in side_by_side(partial(_look, *each, reach) for each in areas) if look is not None]
    half = len(looks) - len(looks) // 2
    elsewhere = looks[half:] + looks[:half]
    return Related(len(looks), sum(side_by_side(partial(_fits, *each) for each in zip(looks, elsewhere, strict=True))))


def _places(shape: tuple[int, int], side: int) -> list[tuple[int, int]]:
    """Upper left corners of windows that lie apart, spread over the scene."""
    if min(shape) < side:
        return []
    tops, lefts = (
        np.linspace(0, length - side, max(1, min(_WINDOWS, (length - side) // _WINDOW + 1))).astype(int)
        for length in shape
    )
    return [(int(top), int(left)) for top in tops for left in lefts]


def _flat(values: np.ndarray) -> np.ndarray:
    """The image without its broad brightness."""
    values = values.astype(float)
    return values - ndimage.gaussian_filter(values, _COARSE, mode="nearest")


class _Look(NamedTuple):
    """A window, and the area in which it is looked for: what correlation needs of each."""

    window: np.ndarray  # conjugate spectrum of the window, in an area of zeros; of mean 0, and squares that sum to 1
    area: np.ndarray  # spectrum
    deviation: np.ndarray  # of the area from its mean, in the place of each window: root of the sum of squares


def _look(first: np.ndarray, second: np.ndarray, reach: int) -> _Look | None:
    """The inner part of the first, to be found in the second; None where one is not known all over or says nothing."""
    window, area = _flat(first)[reach:-reach, reach:-reach], _flat(second)
    if not (np.isfinite(window).all() and np.isfinite(area).all() and np.std(window) > 0 and np.std(area) > 0):
        return None
    side = window.shape[0]
    template = window - window.mean()
    template /= np.sqrt((template**2).sum())
    total, squares = _sums(area, side), _sums(area**2, side)
    return _Look(
        np.conj(fft.rfft2(template, s=area.shape)),
        fft.rfft2(area),
        np.sqrt(np.maximum(squares - total**2 / side**2, 1e-12)),
    )


def _fits(own: _Look, other: _Look) -> bool:
    """Whether a window fits its own area better than another."""
    return _best(own, own) > _best(own, other)


def _best(one: _Look, other: _Look) -> float:
    """Largest normalised cross-correlation of the window of one, wherever it lies in the area of the other."""
    places = other.deviation.shape[0]
    side = places + _WINDOW - 1
    cross = fft.irfft2(other.area * one.window, s=(side, side))[:places, :places]
    return float((cross / other.deviation).max())


def _sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sum of each square of `side` pixels."""
    table = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
