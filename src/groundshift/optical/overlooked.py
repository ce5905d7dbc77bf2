"""Ground that moved by more than a few pixels and is narrower than the windows of the first field, which overlook it.

A glacier or a landslide of twenty pixels' width fills less than half of a window of 32: the window says how its sides
moved, and what refines that only knows ground nearby. Where the images do not agree under the first field, a smaller
window is looked for anew, by itself, within the largest displacement, or 32 pixels. It counts if it fits there much
better than anywhere else and windows beside it moved alike, for among so many places some window fits by chance.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from groundshift.kernels.gaussian import smoothed
from groundshift.kernels.spline import warp
from groundshift.kernels.window_search import WindowMatches, best_matches
from groundshift.optical.piecewise import usable

_STEP, _SIDE = 8, 17  # pixels: from one window to the next, and their side
_FARTHEST = 32  # pixels that a window is looked for at the most; large windows look no further
_AROUND, _UNLIKE = 4.0, 0.4  # pixels, Gaussian sigma; correlation under the first field below which it is doubted
_USED = 0.9  # share of the pixels around that can be used
_FITS, _BETTER, _LEAD = 0.5, 0.3, 0.25
"""Correlation of a window where it is found: at least, above that under the first field, and above that of the next
best place."""
_MOVED = 2.0  # pixels from the first field; less is found from there
_ALIKE, _NEIGHBOURS = 2.0, 2  # pixels; of the eight windows around, as many moved alike
_SPREAD, _FIT, _TAKES_OVER = 16, 3.0, 0.1
"""Pixels this far from a window take its displacement if the images agree better under it, by this much correlation in
a Gaussian window of this sigma.

All were chosen on 416 validation and training samples. On 32 of one date with landslides and glaciers the first field
is wrong by two pixels or more on 28 % of the ground that moved by three, and on 16 % with this; on 300 with other
motion or none one pixel in 100,000 got worse."""


def recovered(
    first: np.ndarray, second: np.ndarray, spline: np.ndarray, weights: tuple[np.ndarray, np.ndarray],
    field: np.ndarray, *, max_displacement: float,
) -> np.ndarray:  # fmt: skip
    """A field with what it overlooked: displacement (2, y, x), dx and dy, float32, pixels.

    Parameters
    ----------
    first, second
        Images with local mean 0 and variance 1, float32 (y, x), and the second as spline coefficients too.
    weights
        1 where a pixel of the first and of the second image can be used, else 0; float32 (y, x).
    field
        Displacement from large windows.
    max_displacement
        Pixels.
    """
    weight = usable(*weights, field)
    moved = warp(spline, *field)
    doubted = _correlation(first, moved, weight, _AROUND)
    rows, columns = (np.arange(_STEP, side - _SIDE // 2, _STEP) for side in first.shape)
    lattice = np.ix_(rows, columns)
    asked = (doubted[lattice] < _UNLIKE) & (smoothed(weight, _AROUND)[lattice] > _USED)
    if not asked.any():
        return field
    i, j = asked.nonzero()
    at = rows[i], columns[j]
    reach = int(np.ceil(min(max_displacement, _FARTHEST)))
    found = best_matches(first, second, *(each - _SIDE // 2 for each in at), side=_SIDE, reach=reach)
    windows = np.full((2, *asked.shape), np.nan, np.float32)
    windows[:, asked] = np.where(_sure(found, doubted[at], field[:, at[0], at[1]]), (found.dx, found.dy), np.nan)
    windows[:, _alone(windows)] = np.nan
    if np.isnan(windows).all():
        return field
    return _taken(first, moved, spline, weight, field, windows, lattice)


def _correlation(first: np.ndarray, second: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Of two images of local mean 0, in a Gaussian window around every pixel, float32 (y, x)."""
    products = (
        smoothed(weight * one * other, sigma) for one, other in ((first, second), (first, first), (second, second))
    )
    both, own, others = products
    return both / np.sqrt(np.maximum(own * others, 1e-4))


def _sure(found: WindowMatches, before: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Which windows fit elsewhere without doubt, bool (n,)."""
    far = np.hypot(found.dx - field[0], found.dy - field[1]) > _MOVED
    fits = (found.correlation > _FITS) & (found.correlation > before + _BETTER)
    return far & fits & (found.correlation > found.next_best + _LEAD)


def _alone(windows: np.ndarray) -> np.ndarray:
    """Windows of a lattice, (2, i, j), that too few of those around moved like, bool (i, j)."""
    height, width = windows.shape[1:]
    around = np.pad(windows, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    alike = sum(
        np.hypot(*(around[:, down : down + height, right : right + width] - windows)) <= _ALIKE
        for down in range(3) for right in range(3) if (down, right) != (1, 1)
    )  # fmt: skip
    return alike < _NEIGHBOURS


def _taken(
    first: np.ndarray, moved: np.ndarray, spline: np.ndarray, weight: np.ndarray, field: np.ndarray,
    windows: np.ndarray, lattice: tuple[np.ndarray, ...],
) -> np.ndarray:  # fmt: skip
    """The field with the displacement of the nearest window where the images agree better under it."""
    nodes = np.full_like(field, np.nan)
    nodes[(slice(None), *lattice)] = windows
    distance, nearest = ndimage.distance_transform_edt(np.isnan(nodes[0]), return_indices=True)
    near = distance <= _SPREAD
    other = np.where(near, nodes[:, nearest[0], nearest[1]], field)
    before, after = (_correlation(first, image, weight, _FIT) for image in (moved, warp(spline, *other)))
    return np.where(near & (after > before + _TAKES_OVER), other, field)
