"""What comes after the steps of the network: its answer and what small windows measure, as one sharp field.

The answer counts as a measurement of each pixel beside those of small windows, of which the piecewise smooth field is
made, with its jumps put in place (`groundshift.optical.piecewise`, `groundshift.optical.rupture`): a network with few
layers smears a fault over some pixels, which is mended so. Twice over: between, a second network of the same kind, that
was trained on fields that are sharp, says what is still wrong with this one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.kernels.gaussian import smoothed
from groundshift.kernels.spline import coefficients
from groundshift.kernels.total_variation import Field
from groundshift.optical.piecewise import (
    Images,
    Known,
    Measurement,
    Pair,
    bound,
    improved,
    misplaced,
    near_jumps,
    usable,
)
from groundshift.optical.refinement import PreparedPair, Refine, variance, warped
from groundshift.optical.rupture import settled

TOLD = 6
"""Planes that the last network is told of each pixel, see :func:`told_of`."""

_ITERATIONS = (10, 40, 60, 60), (15, 30, 40, 40)
"""Of the prior, each time that the field is measured by small windows and made piecewise smooth; the network's field is
close, so the full grid needs few."""
_WINDOW, _JUMP = 1.0, 0.04  # pixels: Gaussian sigma of these windows; a jump between pixels that is a fault
_SHARPEN = 2.5  # pixels: Gaussian sigma of the window in which images are compared beside jumps
_WORTH = 0.05  # share of the information of a network that counts: errors of pixels beside each other are alike
_WORTH_ALONE = 0.0025
"""The same for sigma: where windows say nothing, the variance that is their part is twice what the network tells."""
_OF_FIRST = 1 / 3  # weight of the variance that the first network tells, against that of the last
_OF_NETWORKS = 0.9  # weight of the variance that the networks tell, against that of the windows
_UNLIKE, _UNLIKE_WIDTH, _UNLIKE_AROUND = 0.6, 0.1, 12.0
"""Mean correlation of windows at which the images have as likely nothing in common as not, and how fast that changes;
Gaussian sigma of the mean, pixels."""
_UNLIKE_FACTOR, _UNLIKE_POWER = 3.9, 1.4  # of the variance that the networks tell, pixels², where nothing is in common
"""Fitted, with the two weights above, on validation samples, in some of which half or all of the second image is
foreign: the likelihood of normal errors is largest, with no more foreign ground measured than before."""
_LEAST_VARIANCE = 1e-4  # pixels²
_LARGEST_APART = 2.0  # pixels


class Sharp(NamedTuple):
    """What is left when all is done."""

    flow: np.ndarray  # float32 (2, y, x), pixels
    weight: np.ndarray  # (y, x): 1 where both images can be used, else 0
    variance: np.ndarray  # (2, y, x), pixels², up to a factor


def sharp(pair: PreparedPair, answer: np.ndarray, last: Refine | None = None) -> Sharp:
    """The piecewise smooth field of an answer and of what small windows measure.

    Its variance is a weighted geometric mean of what the networks tell, which know best where ground has changed, and
    of what the windows say; where these know nothing for want of texture, theirs is a multiple of what the networks
    tell. Where the images do not agree over a wide window, what windows say means nothing, and the networks, which were
    trained on images that do, tell too little.

    Parameters
    ----------
    answer
        Of the network, (7, y, x), see :data:`groundshift.optical.refinement.CHANNELS`.
    last
        The network that is asked between the two times; none if None.
    """
    matched, told = _matched(pair), variance(answer)
    field, _ = _improved(matched, _plain(answer), answer, told, _ITERATIONS[0])
    of_first = told
    if last is not None:
        flow = _settled(pair, field)
        answer = last(pair.first, *warped(pair, flow), flow, told_of(answer, flow))
        field, told = _plain(answer), variance(answer)
    field, windows = _improved(matched, field, answer, told, _ITERATIONS[1])
    told = of_first**_OF_FIRST * told ** (1 - _OF_FIRST)
    seen = bound(windows.information + _WORTH_ALONE * _information(told)) + misplaced(field, windows)
    flow = _settled(pair, field)
    weight = usable(pair.first_weight, pair.second_weight, flow)
    unlike = _unlike(windows.correlation, weight)
    alike = (1 - unlike) * told**_OF_NETWORKS * seen ** (1 - _OF_NETWORKS)
    return Sharp(flow, weight, alike + unlike * _UNLIKE_FACTOR * told**_UNLIKE_POWER)


def once_sharp(pair: PreparedPair, answer: np.ndarray) -> np.ndarray:
    """The field that the last network is given, float32 (2, y, x), pixels: made piecewise smooth once."""
    field, _ = _improved(_matched(pair), _plain(answer), answer, variance(answer), _ITERATIONS[0])
    return _settled(pair, field)


def told_of(answer: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What the last network is told of each pixel besides: float32 (:data:`TOLD`, y, x).

    How far the first network's answer is from the field that was made of it, and the logarithms of the deviation and
    of the narrow scale that it told; of dx and dy each.
    """
    apart = np.clip(answer[:2] - flow, -_LARGEST_APART, _LARGEST_APART)
    return np.concatenate([apart, 0.5 * np.log(variance(answer) + 1e-8), answer[2:4]]).astype(np.float32)


def _matched(pair: PreparedPair) -> Pair:
    images = Images(pair.first_scaled, pair.second_scaled, pair.first_weight, pair.second_weight)
    return Pair(images, coefficients(pair.second_scaled), pair.first, pair.second)


def _plain(answer: np.ndarray) -> Field:
    """The field of an answer, of whose gradient nothing is known."""
    return Field(np.ascontiguousarray(answer[:2]), np.zeros((4, *answer.shape[1:]), np.float32))


def _improved(
    pair: Pair, field: Field, answer: np.ndarray, told: np.ndarray, iterations: tuple[int, ...]
) -> tuple[Field, Measurement]:
    """A field once more measured by windows and made piecewise smooth, with an answer of this variance beside them."""
    known = Known(_WORTH * _information(told), answer[:2])
    return improved(pair, field, window=_WINDOW, jump=_JUMP, sharpen=_SHARPEN, known=known, iterations=iterations)


def _settled(pair: PreparedPair, field: Field) -> np.ndarray:
    """The flow of a field, where pixels beside jumps have agreed on their sides."""
    return settled(pair.first, pair.second, field, near_jumps(field))


def _information(told: np.ndarray) -> np.ndarray:
    """Inverse covariance xx, xy, yy, float32 (3, y, x), of a variance (2, y, x)."""
    x, y = 1 / (told + _LEAST_VARIANCE)
    return np.stack([x, np.zeros_like(x), y]).astype(np.float32)


def _unlike(correlation: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """How likely the images have nothing in common around each pixel, (y, x): logistic in their mean correlation.

    Small windows of unlike images agree by chance, as the field is the one under which they agree best; wide ones of
    like images nearly always agree.
    """
    around = smoothed(weight * correlation, _UNLIKE_AROUND) / np.maximum(smoothed(weight, _UNLIKE_AROUND), 1e-3)
    return 1 / (1 + np.exp((around - _UNLIKE) / _UNLIKE_WIDTH))
