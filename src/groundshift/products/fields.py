"""The fields of a point set, computed again from its series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from groundshift.kernels.series_fields import SeriesFields, series_fields
from groundshift.model.points import header, series

_FIELDS = tuple(name for name in SeriesFields._fields if name != "first")


def recompute_fields(table: pa.Table) -> pa.Table:
    """The same points with the fields of their series: velocity, acceleration, seasonality, their standard deviations,
    rmse, and for lines of sight temporal coherence.

    All other columns, the series among them, stay as they are. A series of fewer than seven dates has fields of NaN.

    Parameters
    ----------
    table
        A point set of any level.

    Returns
    -------
    A point set: velocities in mm/yr, accelerations in mm/yr², amplitudes and rmse in mm; the rules are those of
    :func:`groundshift.kernels.series_fields.series_fields`. The velocity of a calibrated file (L2b) as delivered is
    that of the relative one, rounded, less a surface, and rounded again; here it is that of the series.
    """
    fields = series_fields(series(table), header(table).dates.astype(np.float64))
    for name in _FIELDS:
        if name in table.column_names:
            values = getattr(fields, name).astype(np.float32)
            table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def recomputed(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """:func:`recompute_fields` of each part of a point set, one at a time."""
    return map(recompute_fields, tables)
