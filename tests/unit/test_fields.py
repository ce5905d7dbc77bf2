"""Fields computed again from the series of a point set."""

import numpy as np
import pytest

from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import check, point_set, series
from groundshift.products.fields import recompute_fields, recomputed

DATES = np.datetime64("2019-01-02") + 12 * np.arange(60)


def points(level="L2b"):
    years = (DATES - DATES[0]).astype(float) / 365
    rates, swings = np.array([-7.0, 0.0, 3.0]), np.array([0.0, 2.0, 5.0])
    moved = rates[:, None] * years + swings[:, None] * np.cos(2 * np.pi * years)
    moved[2, 50:] = np.nan
    columns = {
        "pid": ["a", "b", "c"], "easting": np.arange(3.0), "northing": np.arange(3.0), "rmse": np.full(3, 9.0),
        "displacement": moved,
    }  # fmt: skip
    look = {"los_east": np.zeros(3), "los_north": np.zeros(3), "los_up": np.ones(3), "gnss_velocity": np.ones(3)}
    if level == "L3":
        return point_set(columns, level="L3", component="U", dates=DATES, crs="EPSG:3035")
    return point_set(columns | look, level=level, dates=DATES, crs="EPSG:3035")


@pytest.mark.parametrize("level", ["L2b", "L3"])
def test_fields_are_those_of_the_series_and_the_rest_stays(level):
    table = points(level)
    again = recompute_fields(table)
    check(again)
    np.testing.assert_allclose(again["mean_velocity"], [-7, 0, 3], atol=1e-4)
    np.testing.assert_allclose(again["seasonality"], [0, 2, 5], atol=1e-3)
    np.testing.assert_allclose(again["rmse"], 0, atol=2e-3)
    fields = series_fields(series(table), DATES.astype(float))
    np.testing.assert_array_equal(again["acceleration_std"], fields.acceleration_std.astype(np.float32))
    assert again.schema == table.schema
    assert again.schema.metadata == table.schema.metadata
    changed = {name for name in table.column_names if str(table[name].to_pylist()) != str(again[name].to_pylist())}
    assert changed - {"temporal_coherence"} == {
        "rmse", "mean_velocity", "mean_velocity_std", "acceleration", "acceleration_std", "seasonality",
        "seasonality_std",
    }  # fmt: skip


def test_parts_are_the_whole():
    table = points()
    parts = list(recomputed([table.slice(0, 1), table.slice(1)]))
    for name in ("rmse", "temporal_coherence", "mean_velocity_std"):
        values = np.concatenate([part[name].to_numpy() for part in parts])
        np.testing.assert_array_equal(values, recompute_fields(table)[name].to_numpy())
