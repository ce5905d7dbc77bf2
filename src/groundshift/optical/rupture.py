"""Pixels beside a rupture put on the side where they belong.

A rupture is smeared, or a few pixels off, where single windows say little. Here pixels near it decide together
(`groundshift.kernels.sides`): each has the displacement that it had, or that of one side or the other, and neighbours
that differ pay for it, so that a rupture is where the images tell along a stretch of it, and is short.
"""

from __future__ import annotations

import numpy as np

from groundshift.kernels.gaussian import smoothed
from groundshift.kernels.sides import chosen, differences_under
from groundshift.kernels.total_variation import Field

_ACROSS = (4, -4, 8, -8)  # pixels: where across a jump a pixel looks for the displacement of a side
_LOOK, _AGREE, _NOISE = 3.0, 2.0, 6.0
"""Gaussian sigmas, pixels, over which the direction of a jump is averaged, the images are compared, and how much they
differ anyway is averaged."""
_LEAST_NOISE, _LARGEST_NOISE = 0.005, 4.0  # variance of the images' difference; they have variance 1
_LARGEST_COST = 4.5  # of one pixel
_APART = 1.0  # cost of a difference of one pixel between neighbours
_STEPS = 16  # of belief propagation


def settled(first: np.ndarray, second: np.ndarray, field: Field, near: np.ndarray) -> np.ndarray:
    """The displacement with pixels near jumps on the side that suits them and their neighbours, float32 (2, y, x).

    Each takes the displacement it has, or one of four places across the jump, extended to it with their smooth
    gradient. What counts is how badly the images agree, as minus the logarithm of a likelihood, and how much
    neighbours differ. To come last: the prior would smear what is put in place.

    Parameters
    ----------
    first, second
        Both images with local mean 0 and variance 1, the second as spline coefficients.
    near
        bool (y, x): pixels that may change sides.
    """
    if not near.any():
        return field.u
    rows, columns = np.nonzero(near)
    down, right = _across(field.u, near)
    looks = [
        differences_under(
            first, second, field.u, field.v, rows, columns,
            (np.rint(far * down).astype(np.int64), np.rint(far * right).astype(np.int64)),
        )
        for far in (0, *_ACROSS)
    ]  # fmt: skip
    inside = near.astype(np.float32)
    noise, agree = smoothed(inside, _NOISE), smoothed(inside, _AGREE)[near]

    def placed(values: np.ndarray) -> np.ndarray:
        image = np.zeros_like(inside)
        image[near] = values
        return image

    usual = np.minimum(looks[0][1], _LARGEST_NOISE)
    noise = smoothed(placed(usual), _NOISE)[near] / noise[near] + _LEAST_NOISE
    costs = (smoothed(placed(np.minimum(squared / (2 * noise), _LARGEST_COST)), _AGREE) for _, squared in looks)
    cost = np.stack([each[near] / agree for each in costs], axis=1)
    choices = np.stack([moved for moved, _ in looks], axis=1)
    taken = chosen(near, field.u, choices, cost, weight=_APART, steps=_STEPS)
    u = field.u.copy()
    u[:, near] = choices[np.arange(len(taken)), taken].T
    return u


def _across(u: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vector across jumps, down and right, at some pixels: along the strongest mean change of u."""
    x, y = (np.stack([np.diff(c, axis=axis, append=c.take([-1], axis)) for c in u]) for axis in (1, 0))
    xx, xy, yy = (smoothed((one * other).sum(axis=0), _LOOK)[near] for one, other in ((x, x), (x, y), (y, y)))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    return np.sin(angle), np.cos(angle)
