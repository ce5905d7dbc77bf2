"""What a pixel tells the network that refines a displacement field, and what the network's answer makes of it.

The same as `groundshift.train.model` says in torch, in a few passes over rows that stay in the cache: products of
gradients and of the difference of the two images averaged in Gaussian windows, the least-squares correction of each
window (Lucas & Kanade 1981), and the displacement of places around under which the images agree best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numba
import numpy as np

from groundshift.kernels.inner import QUICK
from groundshift.kernels.threads import over_bands

DERIVATIVE = (3 / 4, -3 / 20, 1 / 60)
"""Of sixth order: times the differences of pixels 1, 2 and 3 to both sides."""
RIDGE = 0.02  # of the least squares, in units of the squared gradient of an image of variance 1
LONGEST_STEP = 2.0  # pixels: about the largest correction a window may ask for
FIT = 2.0  # pixels: Gaussian sigma of the window in which displacements of places around are compared
SMOOTH = 8.0  # pixels: Gaussian sigma of the field from which that of each pixel is told apart
LARGEST_MISMATCH = 4.0  # squared difference of the two images; they have variance 1
LEAST_WEIGHT = LEAST_MISMATCH = 1e-3
LEAST_SCALE, LARGEST_SCALE = -6.0, 2.0  # of the narrow distribution: logarithms, pixels
_ROWS = 32  # that are compared at once

_NONE, _HALF, _ONE, _FAR = (np.float32(each) for each in (0, 0.5, 1, 1e30))
_RIDGE, _CEILING, _LEAST, _SHORTENED = (
    np.float32(each) for each in (RIDGE, LARGEST_MISMATCH, LEAST_WEIGHT, 1 / LONGEST_STEP)
)
_D1, _D2, _D3 = (np.float32(each) for each in DERIVATIVE)


def places(reach: int) -> list[tuple[int, int]]:
    """Eight places at a distance, (rows, columns)."""
    slant = round(reach / 2**0.5)
    return [(0, reach), (0, -reach), (reach, 0), (-reach, 0)] + [
        (y * slant, x * slant) for y in (-1, 1) for x in (-1, 1)
    ]


def network_inputs(
    first: np.ndarray,
    second: np.ndarray,
    weight: np.ndarray,
    flow: np.ndarray,
    *,
    windows: Sequence[float],
    reaches: Sequence[int],
    told: np.ndarray | None = None,
) -> np.ndarray:
    """What the network is given, float32 (c, y, x).

    Parameters
    ----------
    first, second, weight
        First image and the second brought onto it, both with local mean 0 and variance 1, and 1 where both can be
        used or 0; float32 (y, x).
    flow
        The present field, pixels; float32 (2, y, x).
    windows
        Gaussian sigma of the windows of least squares, pixels.
    reaches
        How far around places are looked at, pixels; none if empty.
    told
        What else is known of each pixel, float32 (k, y, x).

    Returns
    -------
    First, second, their difference and the weight; then of each window the correction (dx, dy, pixels), logarithms of
    the mean squares of the gradient along x and y, the correlation of the two, and the logarithm of the mean squared
    difference; then, if there are reaches, the step to the best place around (dx, dy) and the logarithms of the squared
    difference without and with it; what the field departs from its Gaussian mean (dx, dy); and what else is told.
    """
    height, width = first.shape
    at = 4 + 6 * len(windows)  # where what comes after the windows begins
    last = at + (4 if reaches else 0)  # where what the field departs from its mean is
    seen = np.empty((last + 2 + (0 if told is None else len(told)), height, width), np.float32)
    products = np.empty((10, height, width), np.float32)
    over_bands(lambda top, bottom: _products(first, second, weight, top, bottom, products, seen), height)
    taps, smooth = [_taps(each) for each in windows], _taps(SMOOTH)

    def in_windows(top: int, bottom: int) -> None:
        for k, each in enumerate(taps):
            _least_squares(_means(products[:7], each, top, bottom), seen, 4 + 6 * k, top)
            here = seen[4 + 6 * k : 10 + 6 * k, top:bottom]
            np.tanh(here[:2], out=here[:2])
            here[:2] *= np.float32(LONGEST_STEP)
            for logarithms in (here[2:4], here[5]):
                np.log(logarithms, out=logarithms)
        np.subtract(flow[:, top:bottom], _means(flow, smooth, top, bottom), out=seen[last : last + 2, top:bottom])
        if told is not None:
            seen[last + 2 :, top:bottom] = told[:, top:bottom]

    over_bands(partial(_in_strips, in_windows), height)
    if reaches:
        margin = max(reaches)
        corrected = flow + seen[at - 6 : at - 4] if windows else flow
        there = np.pad(corrected, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
        offsets = [np.array(places(reach)) + margin for reach in reaches]

        def around(top: int, bottom: int) -> None:
            _from_around(products, flow, there, offsets, top, bottom, seen[at : at + 4])

        over_bands(partial(_in_strips, around), height)
    return seen


def _in_strips(work: Callable[[int, int], None], start: int, stop: int) -> None:
    """Some rows at a time: what is worked on stays in the cache."""
    for top in range(start, stop, _ROWS):
        work(top, min(top + _ROWS, stop))


def _from_around(
    products: np.ndarray, flow: np.ndarray, there: np.ndarray, offsets: list[np.ndarray], top: int, bottom: int,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Four planes: the step to the best place around, and logarithms of the squared difference without and with it.

    `there` is the corrected field with a margin, offsets (place, 2) are rows and columns into it. Of one reach, places
    that fit alike give the mean of their steps; a farther reach must be better than the ones before it.
    """
    taps, out = _taps(FIT), out[:, top:bottom]
    high, low = max(top - len(taps) + 1, 0), min(bottom + len(taps) - 1, flow.shape[1])
    weight, residual = products[6, high:low], products[9, high:low]
    compared = np.stack([weight * np.minimum(residual**2, np.float32(LARGEST_MISMATCH)), weight])
    now, total = _means(compared, taps, top - high, bottom - high)
    total += np.float32(LEAST_WEIGHT)
    out[:2] = 0
    out[2] = out[3] = now / total
    for each in offsets:
        found = _means(_mismatches(products, flow, there, each, high, low), taps, top - high, bottom - high)
        _choose(found, total, flow, there, each, top, out)
    np.log(out[2:] + np.float32(LEAST_MISMATCH), out=out[2:])


def network_answer(seen: np.ndarray, found: np.ndarray, flow: np.ndarray, *, windows: int, reaches: int) -> np.ndarray:
    """The answer (7, y, x), see :data:`groundshift.optical.refinement.CHANNELS`, from what the network found.

    Parameters
    ----------
    seen, flow
        As of :func:`network_inputs`; `windows` and `reaches` are how many there were.
    found
        Logits of no correction and of each correction, two more of step, and five of scales; overwritten.
    """
    choices = 1 + windows + (1 if reaches else 0)
    answer = np.empty((7, *flow.shape[1:]), np.float32)

    def read(top: int, bottom: int) -> None:
        rows = slice(top, bottom)
        share, rest, out = found[:choices, rows], found[choices:, rows], answer[:, rows]
        share -= share.max(axis=0)
        np.exp(share, out=share)
        share /= share.sum(axis=0)
        np.add(flow[:, rows], rest[:2], out=out[:2])
        for k in range(1, choices):
            out[:2] += share[k] * seen[6 * k - 2 : 6 * k, rows]
        np.clip(rest[2:4], LEAST_SCALE, LARGEST_SCALE, out=out[2:4])
        wider = rest[4:6]  # softplus
        np.add(np.log(1 + np.exp(-np.abs(wider))), np.maximum(wider, 0), out=out[4:6])
        out[4:6] += out[2:4] + np.float32(0.5)
        out[6] = rest[6]

    over_bands(read, len(answer[0]))
    return answer


def _taps(sigma: float) -> np.ndarray:
    """Gaussian weights from the centre outward, float32."""
    at = np.arange(int(3 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (at / sigma) ** 2)
    return (weights / (weights[0] + 2 * weights[1:].sum())).astype(np.float32)


@numba.njit(**QUICK)
def _products(first, second, weight, start, stop, products, seen):
    """Ten planes: weighted products xx, xy, yy, xr, yr, rr of gradient and difference, weight, gradient, difference."""
    height, width = first.shape
    middle = np.empty((7, width + 6), np.float32)
    for i in range(start, stop):
        for k in range(7):
            row = min(max(i + k - 3, 0), height - 1)
            for j in range(width):
                middle[k, j + 3] = (first[row, j] + second[row, j]) * _HALF
        for j in range(3):
            middle[3, j], middle[3, width + 3 + j] = middle[3, 3], middle[3, width + 2]
        for j in range(width):
            gx = (
                _D1 * (middle[3, j + 4] - middle[3, j + 2])
                + _D2 * (middle[3, j + 5] - middle[3, j + 1])
                + _D3 * (middle[3, j + 6] - middle[3, j])
            )
            gy = (
                _D1 * (middle[4, j + 3] - middle[2, j + 3])
                + _D2 * (middle[5, j + 3] - middle[1, j + 3])
                + _D3 * (middle[6, j + 3] - middle[0, j + 3])
            )
            a, b, w = first[i, j], second[i, j], weight[i, j]
            r = a - b
            wx, wy, wr = w * gx, w * gy, w * r
            products[0, i, j], products[1, i, j], products[2, i, j] = wx * gx, wx * gy, wy * gy
            products[3, i, j], products[4, i, j], products[5, i, j] = wx * r, wy * r, wr * r
            products[6, i, j], products[7, i, j], products[8, i, j], products[9, i, j] = w, gx, gy, r
            seen[0, i, j], seen[1, i, j], seen[2, i, j], seen[3, i, j] = a, b, wr, w


@numba.njit(**QUICK)
def _means(planes, taps, start, stop):
    """Gaussian mean of planes (c, y, x) around every pixel of some rows, border pixels being repeated."""
    count, height, width = planes.shape
    radius = taps.size - 1
    line, out = np.empty(width + 2 * radius, np.float32), np.empty((count, stop - start, width), np.float32)
    inner = line[radius : radius + width]
    for c in range(count):
        plane = planes[c]
        for i in range(start, stop):
            row, centre = out[c, i - start], plane[i]
            for j in range(width):
                inner[j] = taps[0] * centre[j]
            for k in range(1, radius + 1, 2):  # two pairs of rows at a time: half the passes over `line`
                further = min(k + 1, radius)
                one, other = taps[k], taps[further] if k < radius else np.float32(0)
                a, b = plane[max(i - k, 0)], plane[min(i + k, height - 1)]
                d, e = plane[max(i - further, 0)], plane[min(i + further, height - 1)]
                for j in range(width):
                    inner[j] += one * (a[j] + b[j]) + other * (d[j] + e[j])
            for j in range(radius):
                line[j], line[radius + width + j] = line[radius], line[radius + width - 1]
            for j in range(width):
                row[j] = taps[0] * inner[j]
            for k in range(1, radius + 1, 2):
                further = min(k + 1, radius)
                one, other = taps[k], taps[further] if k < radius else np.float32(0)
                a, b = line[radius - k :], line[radius + k :]
                d, e = line[radius - further :], line[radius + further :]
                for j in range(width):
                    row[j] += one * (a[j] + b[j]) + other * (d[j] + e[j])
    return out


@numba.njit(**QUICK)
def _least_squares(sums, seen, at, top):
    """Of a window's sums: half the correction, mean squares, correlation and mismatch; no logarithms yet.

    They are six planes of `seen` from `at` on, from row `top` on: not cut out, for what is contiguous is quicker.
    """
    _, height, width = sums.shape
    out = seen[at : at + 6]
    for row in range(height):
        i = row + top
        for j in range(width):
            share = _ONE / (sums[6, row, j] + _LEAST)
            xx, yy = sums[0, row, j] * share + _RIDGE, sums[2, row, j] * share + _RIDGE
            xy, px, py = sums[1, row, j] * share, sums[3, row, j] * share, sums[4, row, j] * share
            both = xx * yy
            inverse = _SHORTENED / (both - xy * xy)
            out[0, i, j], out[1, i, j] = (yy * px - xy * py) * inverse, (xx * py - xy * px) * inverse
            out[2, i, j], out[3, i, j] = xx, yy
            out[4, i, j], out[5, i, j] = xy / np.sqrt(both), sums[5, row, j] * share + _LEAST


@numba.njit(**QUICK)
def _mismatches(products, flow, there, offsets, start, stop):
    """Squared difference, to first order, under the displacement of each place (c, y, x), times the weight."""
    width = flow.shape[2]
    out = np.empty((len(offsets), stop - start, width), np.float32)
    for c in range(len(offsets)):
        for i in range(start, stop):
            y, x = i + offsets[c, 0], offsets[c, 1]
            there_x, there_y = there[0, y, x:], there[1, y, x:]
            for j in range(width):
                dx, dy = there_x[j] - flow[0, i, j], there_y[j] - flow[1, i, j]
                left = products[9, i, j] - products[7, i, j] * dx - products[8, i, j] * dy
                out[c, i - start, j] = products[6, i, j] * min(left * left, _CEILING)
    return out


@numba.njit(**QUICK)
def _choose(found, total, flow, there, offsets, top, out):
    """Take the step to the places of smallest mismatch where that is smaller than before (the last of four planes)."""
    count, height, width = found.shape
    least, alike = np.zeros(width, np.float32), np.zeros(width, np.float32)
    sum_x, sum_y = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for i in range(height):
        for j in range(width):
            least[j] = _FAR
        for c in range(count):
            y, x = top + i + offsets[c, 0], offsets[c, 1]
            there_x, there_y = there[0, y, x:], there[1, y, x:]
            for j in range(width):
                value = found[c, i, j] / total[i, j]
                keep = _ONE if value >= least[j] else _NONE
                add = _ONE if value <= least[j] else _NONE
                alike[j] = keep * alike[j] + add
                sum_x[j] = keep * sum_x[j] + add * there_x[j]
                sum_y[j] = keep * sum_y[j] + add * there_y[j]
                least[j] = min(least[j], value)
        for j in range(width):
            if least[j] < out[3, i, j]:
                share = _ONE / alike[j]
                out[0, i, j] = sum_x[j] * share - flow[0, top + i, j]
                out[1, i, j] = sum_y[j] * share - flow[1, top + i, j]
                out[3, i, j] = least[j]
