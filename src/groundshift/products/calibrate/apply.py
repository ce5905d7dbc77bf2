"""What calibration makes of a point set: a surface, as a rate, is taken off its series and velocities."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from groundshift.kernels.series_fields import YEAR
from groundshift.model.points import OPTIONAL_COLUMNS, dates, series


def apply_surface(
    table: pa.Table,
    surface: np.ndarray,
    gnss_velocity: np.ndarray | None,
    said: dict[str, Any] | None = None,
    *,
    std: np.ndarray | None = None,
    left: float = 0.0,
) -> pa.Table:
    """A point set of level L2b: `surface`, as a rate, is taken off velocities and series.

    Other fields do not depend on a rate and stay. The rate is for years of 365 days, as `mean_velocity` is.

    Parameters
    ----------
    table
        Point set of level L2a or L2b.
    surface
        float (n,), mm/yr.
    gnss_velocity
        Of the model, toward the satellite, float (n,), mm/yr; NaN where there is none. No column is made if None.
    said
        Added to the provenance, as `calibration`.
    std
        Standard deviation of `surface`, float (n,), mm/yr: the column `calibration_std`, which is made only if given;
        and with the noise of each series and `left` the column `absolute_velocity_std`.
    left
        Standard deviation of what is left of the atmosphere, mm/yr.
    """
    days = dates(table)
    years = ((days - days[0]).astype(float) / YEAR).astype(np.float32)
    moved = series(table) - surface.astype(np.float32)[:, None] * years
    record = json.loads(table.schema.metadata[b"groundshift"])
    record |= {"level": "L2b", "provenance": record["provenance"] | {"calibration": said or {}}}
    gone = ("cluster_label", *OPTIONAL_COLUMNS["L2b"])
    out = table.drop_columns([name for name in gone if name in table.column_names])
    velocity = table["mean_velocity"].to_numpy() - surface
    out = _with(out, "mean_velocity", pa.array(velocity, pa.float32()))
    out = _with(out, "displacement", pa.FixedSizeListArray.from_arrays(pa.array(moved.ravel()), len(years)))
    absolute = None if std is None else np.sqrt(table["mean_velocity_std"].to_numpy() ** 2 + std**2 + left**2)
    for name, values in zip(OPTIONAL_COLUMNS["L2b"], (gnss_velocity, std, absolute), strict=True):
        if values is not None:
            out = out.add_column(out.column_names.index("displacement"), name, pa.array(values, pa.float32()))
    return out.replace_schema_metadata({**table.schema.metadata, b"groundshift": json.dumps(record).encode()})


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)
