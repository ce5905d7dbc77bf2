"""Points and numbers as JSON has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from groundshift.explore.mercator import to_degrees
from groundshift.io.store.read import Point
from groundshift.kernels.series_fields import YEAR, seasonal_design


def point_record(point: Point) -> dict[str, Any]:
    """A point as the page takes it: attributes, dates, series (mm), and `fit`, of 1, t, cos, sin, t²/2, t³ in years.

    `fit` is null for series with fewer than eight dates.
    """
    values = point.displacement.astype(float)
    years = (point.record.days - point.record.days[0]).astype(float) / YEAR
    finite = np.isfinite(values)
    fit = None
    if finite.sum() >= 8:
        design = seasonal_design(years[finite])
        coefficients, _, rank, _ = np.linalg.lstsq(design, values[finite], rcond=None)
        rmse = float(np.sqrt(np.mean((values[finite] - design @ coefficients) ** 2)))
        fit = {"coefficients": coefficients.tolist(), "rmse": rmse} if rank == design.shape[1] else None
    longitude, latitude = to_degrees(point.attributes["mercator_x"], point.attributes["mercator_y"])
    attributes = {
        name: value if not isinstance(value, float) else _number(value)
        for name, value in point.attributes.items()
        if name not in ("mercator_x", "mercator_y")
    }
    return {
        "part": point.part.name, "row": point.row, "longitude": float(longitude), "latitude": float(latitude),
        "level": point.record.level, "component": point.record.component, "track": point.record.track,
        "attributes": attributes, "dates": list(point.record.dates), "displacement": listed(values), "fit": fit,
    }  # fmt: skip


def _number(value: float) -> float | None:
    return float(f"{value:.9g}") if np.isfinite(value) else None


def listed(values: np.ndarray) -> list[float | None]:
    """Numbers to a thousandth, null for NaN."""
    return [round(v, 3) if v == v else None for v in np.asarray(values, float).tolist()]
