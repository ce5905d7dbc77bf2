"""Displacement at every pixel, piecewise smooth: smooth where the ground is and sharp where it broke.

Two steps alternate. *Fine*: at every pixel the images are linearised around the present field, and a small Gaussian
window gives the correction and its information matrix (Lucas & Kanade 1981; Bruhn, Weickert & Schnörr 2005,
doi:10.1023/B:VISI.0000045324.43199.43). *Prior*: the field is the piecewise smooth one closest to those measurements
(total generalised variation, see `groundshift.kernels.total_variation`), with the penalty on jumps lowered where a jump
has appeared (Candès, Wakin & Boyd 2008, doi:10.1007/s00041-008-9045-x).

The information of a window is that of the Cramér–Rao bound for images that share the part ρ² of their variance:
gradient energy times ρ² / (1 − ρ²). Ground that changed correlates badly, says nothing, and takes its displacement
from around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from groundshift.kernels.gaussian import convolved, locally_standardised, taps
from groundshift.kernels.jumps import change_sides, grown, jumps_of, median_where
from groundshift.kernels.linearised import linearised
from groundshift.kernels.spline import coefficients, nearest, warp
from groundshift.kernels.spread import squared_spread
from groundshift.kernels.threads import over_bands, side_by_side
from groundshift.kernels.total_variation import Field, piecewise_smooth

_LOCAL = 8.0  # Gaussian sigma over which brightness and contrast are made equal, pixels
_EDGE, _CURVATURE = 2.0, 10.0
_LEAST_EDGE = 0.05  # share of the penalty on jumps that always stays
ITERATIONS = (60, 60, 80, 80)
"""Of the prior, on the full grid and on coarser ones, for a field that is far from settled."""

_BALANCE = 200.0
_LARGEST_STEP = 1.0  # pixels a pixel may move in one linearisation
_REACHES = (3, 6, 9)  # pixels from which a pixel near a jump may take over the displacement of the other side
_SEEN_JUMP = 0.05  # pixels: jumps above this are sharpened
_SPECKLE = 3  # pixels on either side: window of the median that removes what stands out by itself
_OFFSETS = np.array(
    [
        (round(reach * np.sin(angle)), round(reach * np.cos(angle)))
        for reach in _REACHES
        for angle in np.arange(8) * np.pi / 4
    ]
)
_CEILING = 4.0  # largest squared difference of a pixel; the images have variance 1
_TAKE_OVER = 0.95  # the mismatch must fall below this share of its present value
_POOL = 4.0  # Gaussian sigma, pixels, over which the prior pools information
_JUMP_FACTORS = ((3, 0.005), (7, 0.002))  # window (pixels) and variance a squared pixel of spread inside it
_UNSURE_JUMP_FACTORS = ((15, 0.03), (25, 0.02))  # the same, times the share of variance that the images do not share
"""Fitted on pairs of sites that are kept apart from the benchmark: variance of standardised errors about 1."""


class Images(NamedTuple):
    """A pair prepared for matching: NaN filled, and a weight of 0 where they were."""

    pre: np.ndarray
    post: np.ndarray
    pre_weight: np.ndarray
    post_weight: np.ndarray


class Pair(NamedTuple):
    """Images with what is made of them once: splines, and both with local mean 0 and variance 1."""

    images: Images
    spline: np.ndarray  # of the second
    first: np.ndarray
    second: np.ndarray  # as a spline


def ready(images: Images) -> Pair:
    """Images, ready for :func:`improved`."""
    first, second = (
        locally_standardised(image, weight, _LOCAL)
        for image, weight in ((images.pre, images.pre_weight), (images.post, images.post_weight))
    )
    return Pair(images, coefficients(images.post), first, coefficients(second))


class Measurement(NamedTuple):
    """The images linearised around a field: what windows say of each pixel."""

    information: np.ndarray  # float32 (3, y, x): inverse covariance xx, xy, yy, pixels⁻²
    pull: np.ndarray  # float32 (2, y, x): information times correction, pixels⁻¹
    correlation: np.ndarray  # float32 (y, x): of the two images in the window, 0 to 1


def usable(first: np.ndarray, second: np.ndarray, u: np.ndarray) -> np.ndarray:
    """1 where a pixel can be used in both images under the displacement u, else 0; from their weights (y, x)."""
    return first * nearest(second, u[0], u[1])


def _measured(pair: Pair, u: np.ndarray, window: float) -> Measurement:
    weight = usable(pair.images.pre_weight, pair.images.post_weight, u)
    second = locally_standardised(warp(pair.spline, u[0], u[1]), weight, _LOCAL)
    return Measurement(*linearised(pair.first, second, weight, window))


def _correction(information: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """The step of each pixel that its window asks for, at most `_LARGEST_STEP`; float32 (2, y, x)."""
    xx, xy, yy = information
    ridge = 1e-3 * (xx + yy) + 1e-6
    determinant = (xx + ridge) * (yy + ridge) - xy * xy
    px, py = pull
    step = np.stack([(yy + ridge) * px - xy * py, (xx + ridge) * py - xy * px]) / determinant
    length = np.sqrt(step[0] ** 2 + step[1] ** 2)
    return step * np.minimum(1, _LARGEST_STEP / np.maximum(length, 1e-9))


def _sharpened(first: np.ndarray, second: np.ndarray, field: Field, window: float) -> Field:
    """Let pixels near a jump change sides.

    A jump that is smeared over some pixels, or a few pixels off, is a minimum that small steps do not leave. Single
    pixels that stand out take the median around them first. Then every pixel near a jump tries the displacement of 24
    places around it, extended to it with their smooth gradient, and takes the one under which the images agree best.

    Parameters
    ----------
    first, second
        Both images with local mean 0 and variance 1, the second as spline coefficients.
    window
        Gaussian sigma of the window in which the images are compared, pixels.
    """
    around = np.full(2 * _SPECKLE + 1, _SPECKLE, np.uint8)
    unclear = grown(jumps_of(*field) > _SEEN_JUMP, around)
    u = np.stack(side_by_side(partial(median_where, c, unclear, _SPECKLE) for c in field.u))
    reach = int(3 * window)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / window) ** 2).astype(np.float32)
    near = near_jumps(field._replace(u=u))
    return Field(*change_sides(first, second, u, field.v, near, _OFFSETS, weights, _TAKE_OVER, _CEILING))


def near_jumps(field: Field) -> np.ndarray:
    """Pixels that may be on the wrong side of a jump, bool (y, x)."""
    reach = max(_REACHES)  # rows and columns together
    return grown(jumps_of(*field) > _SEEN_JUMP, (reach - np.abs(np.arange(-reach, reach + 1))).astype(np.uint8))


class Known(NamedTuple):
    """What is known of the field besides the images, as measurements of each pixel."""

    information: np.ndarray  # float32 (3, y, x), as of `Measurement`
    field: np.ndarray  # float32 (2, y, x): dx, dy, pixels


def improved(
    pair: Pair,
    field: Field,
    *,
    window: float,
    jump: float,
    sharpen: float,
    known: Known | None = None,
    iterations: Sequence[int] = ITERATIONS,
) -> tuple[Field, Measurement]:
    """A field, measured anew and made piecewise smooth; and what was measured around the field that came.

    Parameters
    ----------
    window
        Gaussian sigma, pixels.
    jump
        A difference between neighbours, pixels, at which the penalty on jumps is halved; 0 keeps it.
    sharpen
        Gaussian sigma, pixels, of the window in which images are compared where pixels beside jumps may change sides
        first; 0 if none may.
    iterations
        Of the prior, as of :func:`~groundshift.kernels.total_variation.piecewise_smooth`.
    """
    if sharpen:
        field = _sharpened(pair.first, pair.second, field, sharpen)
    measured = _measured(pair, field.u, window)
    information, target = np.empty_like(measured.information), np.empty_like(measured.pull)

    def weigh(top: int, bottom: int) -> None:
        rows = np.s_[:, top:bottom]
        here = measured.information[rows]
        information[rows] = here
        target[rows] = _times(here, field.u[rows] + _correction(here, measured.pull[rows]))
        if known is not None:
            information[rows] += known.information[rows]
            target[rows] += _times(known.information[rows], known.field[rows])

    over_bands(weigh, field.u.shape[1], each=8)
    edge = np.full(field.u.shape[1:], _EDGE, np.float32)
    if jump:
        edge *= np.maximum(jump / (jump + jumps_of(*field)), _LEAST_EDGE)
    smooth = piecewise_smooth(
        information, target, edge,
        curvature=_CURVATURE, start=field, iterations=iterations, balance=_BALANCE,
    )  # fmt: skip
    return smooth, measured


def _times(information: np.ndarray, h: np.ndarray) -> np.ndarray:
    xx, xy, yy = information
    return np.stack([xx * h[0] + xy * h[1], xy * h[0] + yy * h[1]]).astype(np.float32)


def variance_of(field: Field, measured: Measurement) -> np.ndarray:
    """Variance of dx and dy, pixels², float (2, y, x): :func:`bound` and :func:`misplaced`."""
    return bound(measured.information) + misplaced(field, measured)


def bound(information: np.ndarray) -> np.ndarray:
    """Variance of dx and dy, pixels², float (2, y, x), of the information pooled around a pixel."""
    weights = taps(_POOL)

    def rows(top: int, bottom: int) -> np.ndarray:
        xx, xy, yy = convolved(information, weights, top, bottom) * np.float32(4 * np.pi * _POOL**2)
        return np.stack([yy, xx]) / np.maximum(xx * yy - xy * xy, 1e-12)

    return np.concatenate(over_bands(rows, information.shape[1]), axis=1)


def misplaced(field: Field, measured: Measurement) -> np.ndarray:
    """What a misplaced jump adds to the variance, pixels², float (y, x).

    A share of the squared spread of the field near by, and from further away the less the images agree.
    """

    def rows(top: int, bottom: int) -> np.ndarray:
        sure, unsure = (
            sum(factor * squared_spread(field.u, size, top, bottom) for size, factor in factors)
            for factors in (_JUMP_FACTORS, _UNSURE_JUMP_FACTORS)
        )
        return sure + unsure * (1 - measured.correlation[top:bottom] ** 2)

    return np.concatenate(over_bands(rows, len(measured.correlation)))
