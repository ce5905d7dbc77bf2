"""How errors of a map are alike over distance, from what a smooth model leaves of the map, and what a mean of them is
worth.

Values are means over blocks. Their errors are a sum of parts with variances s: one that blocks do not share, and parts
with the covariance exp(−r² / 2L²) over distance r, one for each length L. With a design X and its annihilator
P = I − X (XᵀX)⁻¹ Xᵀ, E[P y yᵀ P] = Σ sₖ P Kₖ P, and the sₖ ≥ 0 are those that fit y best: unbiased (but for the bound)
though the model has taken a part of the broad errors with it. Source: Rao (1971), "Estimation of variance and
covariance components—MINQUE theory", J. Multivariate Analysis 1(3), doi:10.1016/0047-259X(71)90001-7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize

_BLOCKS = 300  # at the most
_SHORTEST = 0.75  # length of the first part, in sides of a block
_PARTS = 5  # whose lengths double


class Blocks(NamedTuple):
    """Values in square blocks of a plane; n blocks."""

    index: np.ndarray  # int, 1-D: of each value, the number of its block
    at: np.ndarray  # float64 (n, 2): the middle of the values of a block
    count: np.ndarray  # float64 (n,): values of a block
    side: float  # metres

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Means of values, 1-D, over the blocks."""
        return np.bincount(self.index, weights=values) / self.count


def blocks_of(x: np.ndarray, y: np.ndarray, *, least: float = 0.0, apart: np.ndarray | None = None) -> Blocks:
    """Square blocks that hold positions, at most 300 and not smaller than asked for.

    Parameters
    ----------
    x, y
        Positions, 1-D, in one unit of length, as all lengths here.
    least
        Smallest side.
    apart
        int, 1-D: positions with different numbers share no block.
    """
    group = np.zeros(len(x), int) if apart is None else apart
    width, height = np.ptp(x), np.ptp(y)
    side = max(least, np.sqrt(width * height / _BLOCKS), max(width, height, 1e-9) / _BLOCKS)
    while True:
        column, row = (((each - each.min()) // side).astype(int) for each in (x, y))
        key = (group * (column.max() + 1) + column) * (row.max() + 1) + row
        count = np.bincount(key)
        if np.count_nonzero(count) <= _BLOCKS:
            break
        side *= 1.1
    number = np.cumsum(count > 0) - 1
    count = count[count > 0]
    at = np.column_stack([np.bincount(number[key], weights=each) / count for each in (x, y)])
    return Blocks(number[key], at, count.astype(float), side)


class Alike(NamedTuple):
    """Covariance of the errors of blocks: diag(own · mean(count) / count) + Σ variances · exp(−r² / 2 lengths²)."""

    own: float
    variances: np.ndarray  # float64 (k,)
    lengths: np.ndarray  # float64 (k,), metres

    def covariance(self, blocks: Blocks) -> np.ndarray:
        """Of the errors of blocks, (n, n)."""
        parts = _parts(blocks, self.lengths)
        return np.tensordot(np.append(self.own, self.variances), parts, 1)


def _parts(blocks: Blocks, lengths: np.ndarray) -> np.ndarray:
    square = ((blocks.at[:, None] - blocks.at[None]) ** 2).sum(axis=-1)
    return np.stack([np.diag(blocks.count.mean() / blocks.count), *(np.exp(-0.5 * square / s**2) for s in lengths)])


def errors_alike(values: np.ndarray, blocks: Blocks, design: np.ndarray) -> Alike:
    """How the errors of the means of blocks are alike.

    Parameters
    ----------
    values
        float64 (n,): means of the blocks.
    design
        float64 (n, p): what the blocks would be without errors.
    """
    lengths = blocks.side * _SHORTEST * 2.0 ** np.arange(_PARTS)
    basis = np.linalg.qr(design)[0]
    left = values - basis @ (basis.T @ values)
    parts = []
    for part in _parts(blocks, lengths):
        half = part - basis @ (basis.T @ part)
        parts.append(half - (half @ basis) @ basis.T)
    normal = np.array([[np.vdot(one, other) for other in parts] for one in parts])
    right = np.array([left @ part @ left for part in parts])
    size = np.sqrt(np.diagonal(normal))
    root = np.linalg.cholesky(normal / np.outer(size, size) + 1e-6 * np.eye(len(size)))
    found = optimize.nnls(root.T, np.linalg.solve(root, right / size))[0] / size
    return Alike(found[0], found[1:], lengths)
