"""The atmosphere of a network of interferograms, from the series of some of its pixels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from groundshift.grid.tiles import Box
from groundshift.insar.interferograms.solve import solve_box
from groundshift.insar.interferograms.survey import InvertConfig, Looks, Survey, is_long, point_fields, velocity_row
from groundshift.insar.motion.atmosphere import Atmosphere, AtmosphereConfig, estimate_atmosphere
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.io.interferograms import Interferograms

log = logging.getLogger(__name__)

_SAMPLE = 40_000  # pixels that the atmosphere is told from, at most
_CELLS = 10_000  # that they are averaged in, about
_LEAST_CELLS = 16
_CELL = 200.0  # m, at least


@dataclass(frozen=True, eq=False)
class Air:
    """What the atmosphere adds to series, against their first date and their reference.

    Attributes
    ----------
    atmosphere
        On the plane of the grid, metres down and to the right.
    pixel
        Height and width of a pixel, m.
    step
        Pixels between the nodes at which it is interpolated exactly; between them it is linear.
    datum
        Its median at the pixels of the reference, mm; float64 (time,).
    velocity_sigma
        Of the atmosphere that is left, as standard deviation of velocities, mm/yr.
    sigma
        The same of displacements since the first date, mm; float64 (time,).
    report
        Numbers for people.
    """

    atmosphere: Atmosphere
    pixel: tuple[float, float]
    step: int
    datum: np.ndarray
    velocity_sigma: float
    sigma: np.ndarray
    report: dict[str, Any]

    def at(self, rows: np.ndarray, columns: np.ndarray, heights: np.ndarray) -> np.ndarray:
        """To be subtracted from displacements, mm; float64 (time, n). Heights in m, NaN where they are not known."""
        return _against_first(self.atmosphere, self.pixel, self.step, rows, columns, heights) - self.datum[:, None]


def estimate_air(
    network: Interferograms,
    config: InvertConfig,
    looks: Looks,
    known: Survey,
    boxes: Sequence[Box],
    pixel: tuple[float, float],
) -> Air | None:
    """Atmosphere of each date by :func:`~groundshift.insar.motion.atmosphere.estimate_atmosphere`.

    All interferograms are read for it once more, and every so many pixels inverted. Motion is a polynomial of second
    degree with a season, or a straight line where series are too short for one, and what is slow in time. None if there
    is too little ground.

    Parameters
    ----------
    network, config, looks, known
        The interferograms, the options, and what was found of them.
    boxes
        That the grid is read in.
    pixel
        Height and width of a pixel, m.
    """
    shape = tuple(network.grid.shape)
    every = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / _SAMPLE))))
    parts = []
    for box in boxes:
        part = solve_box(network, config, looks, known, box, every=every)
        use = part.kept & np.isfinite(part.found.displacement).all(axis=0)
        rows, columns = part.rows[use], part.columns[use]
        heights = network.read_height(box)[rows - box.top, columns - box.left]
        parts.append((rows, columns, heights, part.found.displacement[:, use]))
    rows, columns, heights, displacement = (np.concatenate(each, axis=-1) for each in zip(*parts, strict=True))
    cell = max(_CELL, 2 * max(pixel), np.sqrt(shape[0] * pixel[0] * shape[1] * pixel[1] / _CELLS))
    places = np.column_stack([rows * pixel[0], columns * pixel[1]])
    if len(np.unique(places // cell, axis=0)) < _LEAST_CELLS:
        log.warning("%d pixels are too few to tell the atmosphere from; it is left in", len(rows))
        return None
    days = network.dates.astype(np.float64)
    long = is_long(days)
    geometry = StackGeometry(days, np.zeros(len(days)), 1.0, 1000 * network.wavelength)  # no height errors
    options = AtmosphereConfig(degree=2 if long else 1, seasonal=long, split_heights=False, cell=cell)
    heights = np.where(np.isfinite(heights), heights, np.nanmean(heights) if np.isfinite(heights).any() else 0.0)
    atmosphere = estimate_atmosphere(places, heights, displacement, geometry, options)
    step = max(1, int(cell / 2 / max(pixel)))
    datum = np.median(
        _against_first(atmosphere, pixel, step, known.rows, known.columns, known.heights), axis=1
    )  # fmt: skip
    row = velocity_row(days)
    left = float(np.sqrt(max(row @ atmosphere.left @ row, 0)))
    since = np.eye(len(days)) - np.eye(len(days))[0]
    sigma = np.sqrt(np.maximum(np.einsum("ti,ij,tj->t", since, atmosphere.left, since), 0))
    air = Air(atmosphere, pixel, step, datum, left, sigma, {})
    air.report.update(_numbers(air, network, rows, columns, heights, displacement))
    return air


def _against_first(
    atmosphere: Atmosphere,
    pixel: tuple[float, float],
    step: int,
    rows: np.ndarray,
    columns: np.ndarray,
    heights: np.ndarray,
) -> np.ndarray:
    """Atmosphere at pixels less that of the first date, float64 (time, n); nodes are at multiples of `step`."""
    if not len(rows):
        return np.zeros((len(atmosphere.values), 0))
    starts = [int(each.min()) // step for each in (rows, columns)]
    counts = [int(each.max()) // step - start + 2 for each, start in zip((rows, columns), starts, strict=True)]
    nodes = np.indices(counts).reshape(2, -1).T + starts
    level = np.full(len(nodes), atmosphere.height)
    values = atmosphere.at(nodes * step * np.array(pixel), level).reshape(-1, *counts).astype(np.float64)
    at = [each / step - start for each, start in zip((rows, columns), starts, strict=True)]
    values -= values[0].copy()
    smooth = np.stack([ndimage.map_coordinates(each, at, order=1, mode="nearest") for each in values])
    above = np.nan_to_num(heights - atmosphere.height)
    return smooth + np.outer(atmosphere.slope - atmosphere.slope[0], above)


def _numbers(
    air: Air,
    network: Interferograms,
    rows: np.ndarray,
    columns: np.ndarray,
    heights: np.ndarray,
    displacement: np.ndarray,
) -> dict[str, Any]:
    """What is reported: the atmosphere, and what series leave beside their model before and after it is off."""
    days = network.dates.astype(np.float64)
    after = displacement - air.at(rows, columns, heights)
    rest = [point_fields(each.T.astype(np.float64), days, 1000 * network.wavelength)["rmse"]
            for each in (displacement, after)]  # fmt: skip
    scale = air.atmosphere.scale
    return {
        "pixels": len(rows),
        "cells": len(air.atmosphere.cells),
        "range_m": air.atmosphere.variogram.range,
        "scale_mm": float(np.sqrt(np.mean(scale**2))),
        "by_date": dict(zip(map(str, network.dates), scale, strict=True)),
        "with_heights": network.height is not None,
        "series_rmse_mm": {"before": float(np.median(rest[0])), "after": float(np.median(rest[1]))},
        "left_in_velocity_mm_per_year": air.velocity_sigma,
    }
