"""Whole cycles by which unwrapped interferograms do not close around triplets of dates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError


class Closure(NamedTuple):
    """Sums of unwrapped phases around triplets of interferograms."""

    triplets: np.ndarray  # int (k, 3): interferograms a→b, b→c, a→c
    cycles: np.ndarray  # int16 (k, n): whole cycles that a triplet does not close by; 0 also where data lack
    wrong: np.ndarray  # float64 (n,): share of a pixel's triplets that do not close; NaN without triplet
    by_interferogram: np.ndarray  # float64 (m,): share of its sums that do not close; NaN without triplet
    residual: np.ndarray  # float64 (k,): root mean square of what remains beside whole cycles, radians


def check_pairs(pairs: np.ndarray, dates: int) -> np.ndarray:
    """Pairs of numbers of dates as int (m, 2), first < second.

    Raises
    ------
    InputError
        If a pair is not of two dates in order, names a date that does not exist, or occurs twice.
    """
    pairs = np.asarray(pairs, int)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise InputError(f"pairs of shape {pairs.shape}; give (interferograms, 2)")
    if (pairs[:, 0] >= pairs[:, 1]).any() or pairs.min() < 0 or pairs.max() >= dates:
        raise InputError(f"a pair is not of two of {dates} dates, the earlier first; turn it and its sign around")
    if len(np.unique(pairs, axis=0)) < len(pairs):
        raise InputError("two interferograms are of the same dates; drop one of them")
    return pairs


def find_triplets(pairs: np.ndarray, dates: int) -> np.ndarray:
    """Numbers of interferograms a→b, b→c, a→c, int (k, 3); pairs as of :func:`check_pairs`."""
    pairs = check_pairs(pairs, dates)
    number = np.full((dates, dates), -1)
    number[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs))
    found = [
        (i, number[b, c], number[a, c])
        for i, (a, b) in enumerate(pairs)
        for c in range(b + 1, dates)
        if number[b, c] >= 0 and number[a, c] >= 0
    ]
    return np.array(found, int).reshape(-1, 3)


def closure(phases: np.ndarray, pairs: np.ndarray, dates: int, *, expected: np.ndarray | None = None) -> Closure:
    """Whole cycles by which unwrapped interferograms do not close around triplets of dates.

    Phases of a→b and b→c less that of a→c are near zero if all were unwrapped right; near a multiple of 2π if one was
    not.

    Parameters
    ----------
    phases
        Unwrapped, radians; float (m, n), NaN is no data. A phase common to an interferogram does no harm if it is a
        multiple of 2π; take off that of the reference before.
    pairs
        Numbers of dates, int (m, 2), earlier first.
    dates
        How many there are.
    expected
        What the sums are without a wrong unwrapping, radians (k, n), in the order of :func:`find_triplets`: orbits of
        interferograms that were corrected one by one leave ramps that do not close. 0 if not given.

    Returns
    -------
    :class:`Closure`.

    Source: Yunjun, Fattahi & Amelung (2019), doi:10.1016/j.cageo.2019.104331, section 3.2.
    """
    pairs = check_pairs(pairs, dates)
    triplets = find_triplets(pairs, dates)
    cycles = np.zeros((len(triplets), phases.shape[1]), np.int16)
    residual = np.full(len(triplets), np.nan)
    known, off = np.zeros((2, phases.shape[1]))
    seen, bad = np.zeros((2, len(pairs)))
    for k, (first, second, both) in enumerate(triplets):
        total = phases[first] + phases[second] - phases[both]
        if expected is not None:
            total = total - expected[k]
        here = np.isfinite(total)
        turns = np.rint(total[here] / (2 * np.pi))
        cycles[k, here] = turns
        if here.any():
            residual[k] = np.sqrt(np.mean((total[here] - 2 * np.pi * turns) ** 2))
        known += here
        off[here] += turns != 0
        seen[triplets[k]] += here.sum()
        bad[triplets[k]] += np.count_nonzero(turns)
    with np.errstate(invalid="ignore"):
        return Closure(triplets, cycles, off / known, bad / seen, residual)


def suspects(found: Closure, interferograms: int, *, least: int = 2) -> np.ndarray:
    """Interferograms that are unwrapped wrong, pixel by pixel: those none of whose triplets close.

    Parameters
    ----------
    found
        Of :func:`closure`; a triplet with a gap is taken for closed.
    interferograms
        How many there are.
    least
        Triplets in which an interferogram must be to be judged.

    Returns
    -------
    bool (m, n).
    """
    member = np.zeros((interferograms, len(found.triplets)), np.float32)
    member[found.triplets.T, np.arange(len(found.triplets))] = 1
    open_ones = member @ (found.cycles != 0).astype(np.float32)
    of_all = member.sum(axis=1)[:, None]
    return (open_ones == of_all) & (of_all >= least)
