"""What all cells share, estimated from the normal equations of all tiles, with the sizes of what varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack

from groundshift.products.fuse.config import FuseConfig
from groundshift.products.fuse.groups import Group

VAGUE = 1e3  # m, standard deviation of motion of which nothing is known
_TURNS = 3  # of finding sizes, a round
_GUESS = 10.0  # nodes that what was said of a size counts for


class Shared(NamedTuple):
    """What all cells share, and its covariance."""

    value: np.ndarray  # float64 (z,)
    covariance: np.ndarray  # float64 (z, z); (0, 0) if it is not needed
    prior: tuple[float, ...]  # m, standard deviation of east, north, up of a cell
    groups: tuple[Group, ...]  # with the sizes of their fields as they were found

    def without_covariance(self, *, vague: bool = False) -> Shared:
        """The same, taken as known; `vague` if nothing is known of the motion of a cell."""
        return self._replace(covariance=np.empty((0, 0)), prior=(VAGUE,) * 3 if vague else self.prior)


def solve_shared(groups: Sequence[Group], config: FuseConfig, parts: Sequence[Mapping[str, np.ndarray]]) -> Shared:
    """What is shared, from the normal equations of all tiles and what is known beforehand.

    The motion of cells is taken as unknown here: were it not, its mean over many cells would seem to be known, and
    offsets of sources with it. How large the correlated errors of a group are is found by the evidence.

    Source: MacKay (1992), Bayesian Interpolation, doi:10.1162/neco.1992.4.3.415, equation 32 (sizes).
    """
    size = sum(group.size for group in groups)
    matrix, right = np.zeros((size, size)), np.zeros(size)
    for each in parts:
        matrix[np.ix_(each["columns"], each["columns"])] += each["matrix"]
        right[each["columns"]] += each["right"]
    matrix, groups = (matrix + matrix.T) / 2, tuple(groups)
    prior = _prior(config, parts)
    if not size:
        return Shared(right, matrix, prior, groups)
    value, covariance = _solved(matrix, right, groups)
    for _ in range(_TURNS if config.sizes else 0):
        groups = tuple(_resized(group, value, covariance) for group in groups)
        value, covariance = _solved(matrix, right, groups)
    return Shared(value, covariance, prior, groups)


def _solved(matrix: np.ndarray, right: np.ndarray, groups: Sequence[Group]) -> tuple[np.ndarray, np.ndarray]:
    """What is shared, and its covariance."""
    whole = matrix.copy()
    for group in groups:
        fixed = np.arange(group.start, group.start + 3)
        whole[fixed, fixed] += group.precision()
        if group.shape[0]:
            whole[group.nodes, group.nodes] += group.alike() / group.correlated**2
    factor = cho_factor(whole, lower=True)
    inverse, _ = lapack.dpotri(factor[0], lower=True)  # of a matrix that has a Cholesky factor: it cannot fail
    return cho_solve(factor, right), np.tril(inverse) + np.tril(inverse, -1).T


def _resized(group: Group, value: np.ndarray, covariance: np.ndarray) -> Group:
    """The group with a better size of its field: squares of its nodes over how many of them are determined.

    What was said of it beforehand counts as a few nodes more.
    """
    if not group.shape[0]:
        return group
    inverse = group.alike()
    squares = value[group.nodes] @ inverse @ value[group.nodes]
    determined = max(len(inverse) - (inverse * covariance[group.nodes, group.nodes]).sum() / group.correlated**2, 0.0)
    size = np.sqrt((squares + _GUESS * group.errors.correlated**2) / (determined + _GUESS))
    return group._replace(correlated=float(size))


def _prior(config: FuseConfig, parts: Sequence[Mapping[str, np.ndarray]]) -> tuple[float, ...]:
    """As configured, or twice the root mean squares of motion, ten times the noise of cells if they move less.

    What no cell determines gets the largest of the others.
    """
    if config.prior is not None:
        return config.prior
    if not parts or "squares" not in parts[0]:
        return (VAGUE,) * 3
    squares, known, precision = (sum(each[name] for each in parts) for name in ("squares", "known", "precision"))
    with np.errstate(divide="ignore", invalid="ignore"):
        rms = np.where(known > 0, np.maximum(2 * np.sqrt(squares / known), 10 * np.sqrt(known / precision)), 0)
    largest = rms.max() if rms.max() > 0 else VAGUE
    return tuple(float(each) if count else float(largest) for each, count in zip(rms, known, strict=True))
