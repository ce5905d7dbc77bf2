"""Displacement by refinement: a first field from large windows, then a network that corrects it, a few times over.

The network sees the first image, the second warped by the present field, and that field, and returns a better one
with its uncertainty. What it is given and how its answers are read is here, the same for training and for use.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from groundshift.kernels.gaussian import locally_standardised, smoothed
from groundshift.kernels.median import normalised_residual
from groundshift.kernels.spline import coefficients, scaled, warp
from groundshift.kernels.threads import side_by_side
from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Nodes
from groundshift.optical.overlooked import recovered
from groundshift.optical.piecewise import usable

_LOCAL = 8.0  # Gaussian sigma over which brightness and contrast are made equal, pixels
_LIMIT = 6.0  # local standard deviations at which an image is cut off
START_STEP, START_WINDOW = 16, 32  # pixels
_AROUND, _MOVED = 16.0, 0.2
"""Pixels: a step is followed by a third or later one where it moved the field by more than the second, in the mean of a
Gaussian window of the first; fully from twice as much on. Chosen on 24 validation samples."""
_SPACING, _LARGEST_RESIDUAL, _NOISE = 2, 4.0, 0.05  # of the test for outliers: nodes, deviations, pixels

CHANNELS = 7
"""Of an answer of the network, (7, y, x): dx and dy; the logarithms of two scales of each (of dx narrow, of dy narrow,
of dx wide, of dy wide; pixels); and the logit of the share of the wide ones. They are the parameters of a mixture of
two Laplace distributions of the error of each component."""


class PreparedPair(NamedTuple):
    """A pair as the network is given it."""

    first: np.ndarray  # float32 (y, x): local mean 0 and variance 1
    second: np.ndarray  # the same as coefficients of a quintic spline
    first_weight: np.ndarray  # float32 (y, x): 1, or 0 where there is no data
    second_weight: np.ndarray
    start: np.ndarray  # float32 (2, y, x): dx, dy, pixels
    first_scaled: np.ndarray  # float32 (y, x): median 0 and typical deviation 1, holes filled
    second_scaled: np.ndarray


class Refine(Protocol):
    """One step of a network."""

    def __call__(
        self, first: np.ndarray, second: np.ndarray, weight: np.ndarray, flow: np.ndarray,
        told: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """First image and warped second (y, x), weight (y, x), flow (2, y, x), what else is told in; (7, y, x) out."""
        ...


def prepared(pre: np.ndarray, post: np.ndarray, *, max_displacement: float) -> PreparedPair:
    """Images float32 (y, x), NaN without data, as the network is given them."""
    start = first_field(pre, post, max_displacement=max_displacement)
    (first, *first_given), (second, *second_given) = side_by_side(partial(_standardised, each) for each in (pre, post))
    (first_scaled, first_weight), (second_scaled, second_weight) = first_given, second_given
    spline, weights = coefficients(second), (first_weight, second_weight)
    start = recovered(first, second, spline, weights, start, max_displacement=max_displacement)
    return PreparedPair(first, spline, *weights, start, first_scaled, second_scaled)


def _standardised(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image with local mean 0 and variance 1, the same scaled as a whole, and 1 where it has data."""
    whole, weight = scaled(image)
    return np.clip(locally_standardised(whole, weight, _LOCAL), -_LIMIT, _LIMIT), whole, weight


def first_field(pre: np.ndarray, post: np.ndarray, *, max_displacement: float) -> np.ndarray:
    """Smooth displacement at every pixel from phase correlation of large windows, float32 (2, y, x), pixels."""
    lattice = [np.arange(START_STEP / 2 - 0.5, max(side, START_STEP), START_STEP) for side in pre.shape]
    config = PairConfig(method="frequency", window=START_WINDOW, step=START_STEP, max_displacement=max_displacement)
    flow = FREQUENCY.measure(pre, post, Nodes(*lattice), config)
    good = flow.reason == Reason.VALID
    sigmas = np.where(good, flow.dx_sigma, 1), np.where(good, flow.dy_sigma, 1)
    odd = normalised_residual(flow.dx, flow.dy, *sigmas, good, _SPACING, _NOISE)
    good &= ~(odd > _LARGEST_RESIDUAL)
    at = [(np.arange(side) - axis[0]) / START_STEP for side, axis in zip(pre.shape, lattice, strict=True)]
    weight = np.where(good, 1 / (flow.dx_sigma**2 + flow.dy_sigma**2 + _NOISE**2), 0)
    return np.stack(side_by_side(partial(_interpolated, each, good, weight, at) for each in (flow.dx, flow.dy)))


def _interpolated(values: np.ndarray, good: np.ndarray, weight: np.ndarray, at: list[np.ndarray]) -> np.ndarray:
    """Nodes at every pixel, those that are not good from good ones around; 0 if there are none."""
    if not good.any():
        return np.zeros((len(at[0]), len(at[1])), np.float32)
    around = ndimage.gaussian_filter(weight * np.where(good, values, 0), 1.0)
    nearest = values[tuple(ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True))]
    total = ndimage.gaussian_filter(weight, 1.0)
    filled = np.where(good, values, np.where(total > 0, around / np.maximum(total, 1e-12), nearest))
    for axis, places in enumerate(at):
        filled = _linear(filled, places, axis)
    return filled.astype(np.float32)


def _linear(values: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values between two nodes of an axis; beyond the last ones theirs."""
    last = values.shape[axis] - 1
    before = np.clip(np.floor(places).astype(int), 0, max(last - 1, 0))
    share = np.clip(places - before, 0, 1).reshape((-1, 1) if axis == 0 else (1, -1))
    left, right = values.take(before, axis), values.take(np.minimum(before + 1, last), axis)
    return left + share * (right - left)


def refined(pair: PreparedPair, refine: Refine, *, iterations: int) -> np.ndarray:
    """The answer of the network after some steps, float32 (7, y, x).

    From the third on, a step counts where the one before it still moved the field, and is left out if it did nowhere.
    """
    before = pair.start
    answer = refine(pair.first, *warped(pair, before), before)
    for step in range(2, iterations + 1):
        share = np.float32(1)
        if step > 2:
            moved = smoothed(np.hypot(*(answer[:2] - before)), _AROUND)
            share = np.clip(moved / _MOVED - 1, 0, 1)
            if not share.any():
                break
        before = np.ascontiguousarray(answer[:2])
        answer = answer + share * (refine(pair.first, *warped(pair, before), before) - answer)
    return answer


def warped(pair: PreparedPair, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The second image and its weight brought onto the first by a flow; float32 (y, x) each."""
    return warp(pair.second, flow[0], flow[1]), usable(pair.first_weight, pair.second_weight, flow)


def variance(answer: np.ndarray) -> np.ndarray:
    """Variance of dx and dy that an answer tells, float (2, y, x), pixels²: that of the mixture."""
    wide = 1 / (1 + np.exp(-answer[6]))
    return 2 * ((1 - wide) * np.exp(2 * answer[2:4]) + wide * np.exp(2 * answer[4:6]))
