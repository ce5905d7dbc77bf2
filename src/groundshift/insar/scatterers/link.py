"""Distributed scatterers: homogeneous neighbours and phase linking of a tile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.insar.config import LinkConfig
from groundshift.kernels import homogeneous_neighbours, phase_linking

_TESTS = {
    "none": homogeneous_neighbours.NONE,
    "glrt": homogeneous_neighbours.GLRT,
    "ks": homogeneous_neighbours.KS,
}
_LINES = 4  # of the output that a thread takes at once


class LinkedPhases(NamedTuple):
    """Linked phases of a tile; NaN where a pixel has no data on some date or too few neighbours."""

    phase: np.ndarray  # complex64 (time, i, j), length one, 1 at the reference: exp(i·phase), as the images' own phase
    temporal_coherence: np.ndarray  # float32 (i, j), 1 where linked phases explain all interferograms
    neighbours: np.ndarray  # int32 (i, j), the pixel included; 0 where it has no data
    sigma: np.ndarray  # float32 (time, i, j), radians, of the phase against the reference
    spread: np.ndarray  # float32 (i, j): standard deviation of `row` times phases between neighbours, beyond noise
    correlation: (
        np.ndarray
    )  # int8 (pairs, i, j): 127 times that of errors against the reference; empty if not asked for
    rows: np.ndarray  # int64 (i): lines of the input that the results stand for
    cols: np.ndarray  # int64 (j): pixels of the input


def link_phases(
    slc: np.ndarray,
    days: np.ndarray,
    *,
    reference: int = 0,
    config: LinkConfig | None = None,
    area: tuple[slice, slice] | None = None,
    row: np.ndarray | None = None,
    correlation: bool = False,
    threads: int = 1,
) -> LinkedPhases:
    """Link the phases of a stack of images over statistically homogeneous neighbours.

    A pixel takes part if it has data on all dates. Method and sources: :mod:`groundshift.kernels.phase_linking` and
    :mod:`groundshift.kernels.homogeneous_neighbours`.

    Parameters
    ----------
    slc
        Co-registered images, complex64 (time, y, x); 0 or NaN is no data.
    days
        Acquisition times, float (time,), days from any origin, ascending.
    reference
        Index of the date whose phase is zero.
    config
        Window, test, estimator and stride.
    area
        Lines and pixels to make results for, the whole input if not given; what is around serves as halo. With
        `config.halo` of it, and a first line and pixel that the stride divides, tiles are the same as the whole.
    row
        Factors of the dates, of sum 0, whose product with phases is told to differ between neighbours: those of the
        height, say. Float (time,); all 0 if not given.
    correlation
        Tell how errors of two dates are correlated, for all pairs in the order of `numpy.triu_indices(time, 1)`.
    threads
        Threads that share the lines.

    Raises
    ------
    InputError
        Shapes or times that do not fit.
    """
    config = config or LinkConfig()
    days = np.asarray(days, np.float64)
    if slc.ndim != 3 or not np.iscomplexobj(slc) or slc.shape[0] != days.size or days.size < 3:
        raise InputError(
            f"images are {slc.dtype} {slc.shape} with {days.size} times; give complex (time, y, x), three dates or more"
        )
    if not np.all(np.diff(days) > 0):
        raise InputError("times of the images do not ascend; sort the images and leave out dates that come twice")
    if row is not None and (np.shape(row) != days.shape or abs(np.sum(row)) > 1e-6 * np.abs(row).sum()):
        raise InputError(f"factors {np.shape(row)} of {days.size} times; give one for each, of sum 0")
    if not 0 <= reference < days.size:
        raise InputError(f"the reference is image {reference} of {days.size}; choose 0 to {days.size - 1}")
    lines, pixels = area or (slice(None), slice(None))
    rows = _centres(lines, slc.shape[1], config.stride[0])
    cols = _centres(pixels, slc.shape[2], config.stride[1])

    real, imag, log_intensity, ranked = _prepare(slc, ranks=config.test == "ks")
    test, size = _TESTS[config.test], (rows.size, cols.size)
    out = LinkedPhases(
        np.empty((days.size, *size), np.complex64),
        np.empty(size, np.float32),
        np.empty(size, np.int32),
        np.empty((days.size, *size), np.float32),
        np.empty(size, np.float32),
        np.zeros((days.size * (days.size - 1) // 2 if correlation else 0, *size), np.int8),
        rows,
        cols,
    )
    table = homogeneous_neighbours.limits(test, config.significance, days.size)
    plan = phase_linking.plan(days, config.ministack)
    factors = np.zeros(days.size) if row is None else np.ascontiguousarray(row, np.float64)

    def link(first: int) -> None:
        phase_linking.link_pixels(
            (real, imag, log_intensity, ranked),
            (rows, cols, first, min(first + _LINES, rows.size)),
            config.window,
            (test, table, config.connected, config.min_neighbours, config.response.independent_share, config.evenness),
            plan,
            config.estimator == "emi",
            reference,
            factors,
            (out.phase, out.temporal_coherence, out.neighbours, out.sigma, out.spread, out.correlation),
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(link, range(0, rows.size, _LINES)))
    return out


def _centres(part: slice, size: int, stride: int) -> np.ndarray:
    """Lines or pixels in the middle of every whole stride of a part."""
    first, last, _ = part.indices(size)
    return np.arange(first + stride // 2, last - (stride - 1 - stride // 2), stride, dtype=np.int64)


def _prepare(slc: np.ndarray, *, ranks: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Real and imaginary part, float32 (y, x, time), log of the mean intensity, and sorted amplitudes if asked for."""
    series = np.moveaxis(slc, 0, 2)
    real, imag = np.ascontiguousarray(series.real, np.float32), np.ascontiguousarray(series.imag, np.float32)
    intensity = real**2 + imag**2
    usable = (np.isfinite(intensity) & (intensity > 0)).all(axis=2)
    log_intensity = np.full(usable.shape, np.nan, np.float32)
    log_intensity[usable] = np.log(intensity[usable].mean(axis=1, dtype=np.float64))
    ranked = np.sort(intensity, axis=2) if ranks else np.empty((1, 1, 1), np.float32)
    return real, imag, log_intensity, ranked
