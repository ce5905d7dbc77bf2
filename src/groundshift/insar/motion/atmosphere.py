"""Atmosphere: what is smooth in space and rough in time, and what grows with height."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import nnls

from groundshift.errors import InputError
from groundshift.insar.motion.ground_level import ground_levels
from groundshift.insar.motion.height_air import HeightAir, atmosphere_in_heights, drift_columns
from groundshift.insar.motion.kriging import Interpolation, Variogram, estimate_nested, estimate_variogram
from groundshift.insar.motion.series import motion_design, motion_projection
from groundshift.insar.motion.time_filter import TimeFilter, calm_dates, calm_dates_of_wide, sudden, time_filter
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.robust import robust_fit

_CALMEST = 2.0  # variance that is added to each date's, of the median, so that no date rules
_MOST_CELLS = 1200  # at which atmosphere and height errors are told apart
_LARGER = 1.1  # times that cells are made larger until there are no more
_NEAREST = 8  # of them, that values between them are from
_LEVEL_GROUND = 5.0  # standard deviation of height below which no part is linear in height, m


class AtmosphereConfig(BaseModel):
    """What is taken for atmosphere, and how it is interpolated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    degree: int = Field(2, ge=1, le=4, description="degree of the polynomial in time that is motion")
    seasonal: bool = Field(True, description="a yearly season is motion")
    window: float = Field(
        365.0, ge=0, description="whole length of the triangular window whose mean in time is motion, days; 0 is none"
    )
    split_heights: bool = Field(
        True,
        description="tell atmosphere from height errors by how both vary in space; if not, all stays in the heights",
    )
    stratified: bool = Field(True, description="a part of each date is linear in height")
    stratified_season: bool = Field(
        True, description="so is a yearly season of it; if not, a season that goes with height is motion"
    )
    cell: float = Field(200.0, gt=0, description="side of the cells whose points are averaged first, m")
    method: Literal["kriging", "inverse-distance"] = Field("kriging", description="interpolation in space")
    neighbours: int = Field(24, ge=1, le=200, description="nearest cells that are interpolated from")


@dataclass(frozen=True, eq=False)
class Atmosphere:
    """What the atmosphere adds to displacements at the dates of a stack, known at cells and anywhere between them.

    Attributes
    ----------
    cells
        Mean positions of cells, m; float64 (k, 2).
    counts
        Points in each; float64 (k,).
    values
        Part that does not depend on height, mm; float64 (time, k).
    slope
        Part linear in height, mm per m; float64 (time,).
    height
        Where the latter is zero, m.
    variogram
        Of `values` divided by `scale`.
    scale
        Standard deviation of each date, mm; float64 (time,).
    weights
        Of the dates in height errors, by how calm their air was; float64 (time,).
    left
        Covariance between dates of the atmosphere that the filter takes for motion and leaves, mm²;
        float64 (time, time). It has no part in height errors.
    doubt
        Variance of what the atmosphere adds to height errors and the split of these leaves, m²; float64 (k,).
    config
        The options.
    """

    cells: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    slope: np.ndarray
    height: float
    variogram: Variogram
    scale: np.ndarray
    weights: np.ndarray
    left: np.ndarray
    doubt: np.ndarray
    config: AtmosphereConfig

    @property
    def interpolation(self) -> Interpolation:
        """How values go from cells to points."""
        return _interpolation(self.cells, self.counts, self.variogram, self.config)

    def at(self, positions: np.ndarray, heights: np.ndarray) -> np.ndarray:
        """Atmosphere at points, mm, to be subtracted from displacements; float32 (time, m).

        Parameters
        ----------
        positions, heights
            float (m, 2) and (m,), metres.
        """
        above = np.asarray(heights, float) - self.height
        return (self.interpolation.apply(self.values, positions) + np.outer(self.slope, above)).astype(np.float32)

    def sigma(self, positions: np.ndarray) -> np.ndarray:
        """Standard deviation of the interpolation, mm; float32 (time, m); NaN for inverse distances."""
        return np.outer(self.scale, self.interpolation.sigma(positions)).astype(np.float32)

    def height_sigma(self, positions: np.ndarray) -> np.ndarray:
        """Standard deviation of the atmosphere that is left in height errors, m; float64 (m,)."""
        variance = _between(self.cells, self.config.cell).apply(self.doubt[None], positions)[0]
        return np.sqrt(np.maximum(variance, 0))


def estimate_atmosphere(
    positions: np.ndarray,
    heights: np.ndarray,
    displacement: np.ndarray,
    geometry: StackGeometry,
    config: AtmosphereConfig | None = None,
) -> Atmosphere:
    """Atmosphere of each date from the displacements of points.

    From each series a polynomial, a season and a height error are taken off, then its mean in a triangular window in
    time: what is left changes from image to image. Of that, the part linear in height is taken first; the rest is
    averaged in cells, and a variogram pooled over all dates says how much of it is smooth in space, which is what
    kriging then interpolates. What the atmosphere added to the height errors is put back
    (:mod:`groundshift.insar.motion.height_air`). Height errors are found twice: the second time, dates weigh by how
    calm their atmosphere was the first time, beside a plane and a part linear in height. What is motion is told by
    dates that weigh by their calm too, as far as they differ by more than chance
    (:func:`~groundshift.insar.motion.time_filter.calm_dates`).

    Parameters
    ----------
    positions, heights
        Of the points, float (n, 2) and (n,), metres.
    displacement
        Of unwrapped phases, mm; float (time, n), without gaps.
    geometry, config
        The stack, and the options.

    Raises
    ------
    InputError
        If displacements have gaps or there are fewer than four cells with points.

    Sources: Ferretti, Prati & Rocca (2000), doi:10.1109/36.868878, for the filter; Chilès & Delfiner (2012), chapter 3,
    for kriging without the nugget.
    """
    config = config or AtmosphereConfig()
    if not np.isfinite(displacement).all() or displacement.shape != (len(geometry.days), len(positions)):
        raise InputError(
            f"displacements {displacement.shape} with "
            f"{np.count_nonzero(~np.isfinite(displacement))} gaps; give (time, n) without gaps"
        )
    heights = np.asarray(heights, float)
    displacement = displacement - np.median(displacement, axis=1, keepdims=True)
    per_metre, even = geometry.height_to_mm, np.ones(len(displacement))
    motion = {"degree": config.degree, "seasonal": config.seasonal, "window": config.window}
    noise = np.maximum((sudden(geometry, even, **motion) @ displacement).std(axis=0), 1e-6)
    cell = _cell_numbers(positions, config.cell)
    cells, counts, means = _cell_means(cell, positions, np.vstack([displacement, heights]), noise**-2)
    if len(cells) < 4:
        raise InputError(f"points fill {len(cells)} cells of {config.cell} m; give four or more, or smaller cells")
    values, above = means[:-1], means[-1] - means[-1].mean()
    drift = drift_columns(cells, means[-1], _LEVEL_GROUND)
    wide = (values @ drift) @ drift.T
    narrow = values - wide

    def filtering(weights: np.ndarray, height: np.ndarray) -> TimeFilter:
        return time_filter(geometry, weights, height, **motion, split_heights=config.split_heights)

    alike = filtering(even, motion_projection(geometry, even)[1])
    seen = alike.variances(narrow)
    calm = calm_dates(alike.shows @ narrow, seen)
    weights = 1 / (seen + _CALMEST * np.median(seen) + 1e-9)
    height = motion_projection(geometry, weights)[1]  # as series have it
    of_narrow = filtering(calm, height)
    of_wide = filtering(calm_dates_of_wide(alike.shows, wide, calm), height)
    taken, doubt = of_narrow.takes @ narrow + of_wide.takes @ wide, np.zeros(len(cells))
    if config.split_heights:
        known, air = _air_in_heights(positions, displacement, heights, noise, of_narrow.takes, height, config)
        in_heights, doubt = _between(known, config.cell).apply(np.stack([air.values, air.variances]), cells)
        taken = taken + np.outer(per_metre, in_heights)
    taken -= taken.mean(axis=1, keepdims=True)
    slope = np.zeros(len(values))
    if config.stratified and above.std() > _LEVEL_GROUND:
        slope = taken @ above / (above @ above)
        taken -= np.outer(slope, above)
        if config.seasonal and config.stratified_season:
            slope += _seasonal_slope(geometry, cells, values, above)
    scale = np.maximum(taken.std(axis=1), 1e-9)
    variogram = estimate_variogram(cells, counts, taken / scale[:, None])
    share = variogram.sill / (variogram.sill + variogram.nugget * np.mean(1 / counts))  # that is not noise of cells
    left = share * (of_narrow.leaves(of_narrow.variances(narrow)) + of_wide.leaves(of_wide.variances(wide)))
    return Atmosphere(
        cells, counts, taken, slope, float(means[-1].mean()), variogram, scale, weights, left, doubt, config
    )  # fmt: skip


def _seasonal_slope(geometry: StackGeometry, cells: np.ndarray, values: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Season of displacements (time, k) of cells that goes with height, mm per m, float64 (time,).

    A robust fit beside a plane, for ground that moves with the seasons does so here and there.
    """
    model = motion_design(geometry, degree=1)
    design = np.column_stack([above, np.ones(len(above)), cells - cells.mean(axis=0)])
    slopes = [robust_fit(design, each).coefficients[0] for each in np.linalg.pinv(model)[-2:] @ values]
    return model[:, -2:] @ slopes


def _air_in_heights(
    positions: np.ndarray,
    displacement: np.ndarray,
    heights: np.ndarray,
    noise: np.ndarray,
    rough: np.ndarray,
    height: np.ndarray,
    config: AtmosphereConfig,
) -> tuple[np.ndarray, HeightAir]:
    """What the atmosphere adds to height errors, and the cells where: larger ones where there would be too many."""
    side = config.cell
    while (cell := _cell_numbers(positions, side)).max() >= _MOST_CELLS:
        side *= _LARGER
    cells, counts, means = _cell_means(cell, positions, np.vstack([displacement, heights]), noise**-2)
    ground = ground_levels(cell, height @ displacement)
    drift = drift_columns(cells, means[-1], _LEVEL_GROUND)
    shown = rough @ means[:-1]
    wide = shown @ drift
    shown -= wide @ drift.T
    scale = np.maximum(shown.std(axis=1), 1e-9)
    variogram = estimate_nested(cells, counts, shown / scale[:, None], drift)
    power, *variances = (height**2 @ nnls(rough**2, each**2)[0] for each in (scale, *wide.T))
    return cells, atmosphere_in_heights(
        cells, counts, ground, variogram, power, drift, np.array(variances), side
    )  # fmt: skip


def _interpolation(
    cells: np.ndarray, counts: np.ndarray, variogram: Variogram, config: AtmosphereConfig
) -> Interpolation:
    return Interpolation(
        cells, counts, variogram, config.neighbours, config.cell if config.method == "inverse-distance" else None
    )


def _between(cells: np.ndarray, side: float) -> Interpolation:
    """Smooth values between cells, which they are exact at."""
    return Interpolation(cells, np.ones(len(cells)), Variogram(0.0, 1.0, 10 * side), _NEAREST)


def _cell_numbers(positions: np.ndarray, side: float) -> np.ndarray:
    """Number of the square cell that each point is in, int (n,), from 0 on without gaps."""
    index = np.floor((positions - positions.min(axis=0)) / side).astype(np.int64)
    return np.unique(index[:, 0] * (index[:, 1].max() + 1) + index[:, 1], return_inverse=True)[1]


def _cell_means(
    cell: np.ndarray, positions: np.ndarray, layers: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean positions (k, 2), effective numbers of points (k,), and weighted means of layers (l, n), of square cells."""
    total = np.bincount(cell, weight)
    cells = np.column_stack([np.bincount(cell, weight * each) / total for each in positions.T])
    counts = total**2 / np.bincount(cell, weight**2)
    return cells, counts, np.stack([np.bincount(cell, weight * row) for row in layers]) / total
