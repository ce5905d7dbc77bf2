"""What roofs and ground share of the height errors that a stack shows."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

FARTHEST = 75.0
"""Metres, beyond which points do not share heights."""

_NEAR = 25.0  # m: points weigh by exp(−½ (distance / this)²), as those that a point may share its height with
_MOST = 48  # of them
_SAME = 0.3  # m: standard deviation of heights on the same roof
_ELSEWHERE = 1 / 60  # a metre: density of heights that no point around has, where one at no distance weighs 1


def shared_heights(positions: np.ndarray, heights: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights of points, given that roofs and ground are level: points around often have the same one.

    What is expected of a height, before it is measured, is a mixture: that of each point around, as well as that is
    known, the nearer the likelier; or any other. The mean under what it was measured to be moves a height toward those
    around that it agrees with, and leaves roofs and streets apart.

    Parameters
    ----------
    positions
        m, float (n, 2).
    heights, variances
        m and m², float (n,): variances of errors that points do not share.

    Returns
    -------
    Heights and variances, float64 (n,).

    Notes
    -----
    Source: Buades, Coll & Morel (2005), doi:10.1109/CVPR.2005.38, for means over what is alike; the mixture is a kernel
    estimate of the prior, as in empirical Bayes.
    """
    if len(heights) < 2:
        return heights, variances
    numbers = [*range(2, min(_MOST, len(heights) - 1) + 2)]  # the first is the point itself
    distance, near = cKDTree(positions).query(positions, numbers, distance_upper_bound=FARTHEST)
    there = np.isfinite(distance)
    near = np.where(there, near, 0)
    own, other = variances[:, None], variances[near] + _SAME**2
    total, apart = own + other, heights[:, None] - heights[near]
    weight = np.exp(-0.5 * (np.where(there, distance, 0) / _NEAR) ** 2 - 0.5 * apart**2 / total)
    weight = np.where(there, weight / np.sqrt(2 * np.pi * total), 0)
    share = weight / (weight.sum(axis=1, keepdims=True) + _ELSEWHERE)
    moved = -apart * own / total
    move = (share * moved).sum(axis=1)
    # a share of them stays where it is, with its own variance
    narrowed = own * other / total - own + moved**2
    return heights + move, variances + (share * narrowed).sum(axis=1) - move**2
