"""What most of many scores do is noise: how wide it is, and how heavy its tails are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

_LEAST = 30  # scores that say how wide noise is
_FREEDOM = (3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 30.0, 1000.0)  # degrees of freedom of Student's t
_NOISE = (1.0, 0.95, 0.9, 0.8, 0.7)  # share of the scores that are noise
_WIDTHS = np.geomspace(0.6, 1.3, 40)  # over that of the smaller half of the scores
_MOVING = 6.0  # width of the scores of what moves, Cauchy's distribution
_BINS = 400
_LARGEST = 40.0


class Null(NamedTuple):
    """Scores of noise are `width` times Student's t."""

    width: float
    freedom: float  # degrees of freedom of Student's t
    known: float = np.inf  # degrees of freedom with which the width is known
    share: float = 1.0  # of scores that are noise

    def chance(self, z: np.ndarray) -> np.ndarray:
        """Two-sided."""
        return 2 * stats.t.sf(np.abs(z) / self.width, self._freedom)

    def score(self, chance: np.ndarray) -> np.ndarray:
        """|z| that noise exceeds with some chance, in widths."""
        return stats.t.isf(chance / 2, self._freedom)

    @property
    def _freedom(self) -> float:
        return 1 / max(1 / self.freedom + 1 / self.known, 1e-9)


NORMAL = Null(1.0, np.inf)


def empirical_null(z: np.ndarray) -> Null:
    """The null distribution of standard scores of which most are noise.

    Parameters
    ----------
    z
        Scores that should be normal without motion, float (n,).

    Notes
    -----
    Of the largest likelihood in a mixture of two groups: noise, Student's t of any width, for noise whose variance is
    not the same for all; and, if it is a twentieth of all or more, what moves, whose scores are far larger. Fewer that
    stand out are taken for the tail of the noise: the scores alone cannot tell them from it. How well n scores know the
    width, to about 1 / √n of itself, is a matter of degrees of freedom again: n / 2. With fewer than 30 scores the null
    is normal. Two groups and a null from the scores themselves: Efron (2004), doi:10.1198/016214504000000089.
    """
    away = np.abs(z[np.isfinite(z)])
    half = float(np.median(away)) / stats.norm.ppf(0.75) if len(away) else 0.0
    if len(away) < _LEAST or not half > 0:
        return NORMAL
    edges = np.linspace(0, _LARGEST, _BINS + 1)
    counts = np.histogram(np.minimum(away / half, _LARGEST * (1 - 1e-9)), edges)[0]
    used = counts > 0
    low, high = edges[:-1][used], np.where(edges[1:] < _LARGEST, edges[1:], np.inf)[used]
    moving = 2 * (stats.cauchy.sf(low / _MOVING) - stats.cauchy.sf(high / _MOVING))
    best, largest = NORMAL, -np.inf
    for freedom in _FREEDOM:
        scaled = np.stack([low, high]) / _WIDTHS[:, None, None]
        noise = 2 * -np.diff(stats.t.sf(scaled, freedom), axis=1)[:, 0]
        for share in _NOISE:
            likelihood = np.log(share * noise + (1 - share) * moving + 1e-300) @ counts[used]
            top = int(likelihood.argmax())
            if likelihood[top] > largest:
                largest = likelihood[top]
                best = Null(float(half * _WIDTHS[top]), freedom, len(away) / 2, share)
    return best
