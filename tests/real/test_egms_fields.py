"""Fields computed from the series of real EGMS files are those that the files hold.

The series in the files are rounded to 0.1 mm, the fields were computed before that. What rounding alone does to the
fields is known: it is found here by rounding once more, from series that are even within the last digit.
"""

import numpy as np
import pytest

from groundshift.io.egms import read_egms
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import dates, series
from groundshift.products.fields import recompute_fields

BURSTS = ("L2b_022_0845_IW2_VV", "L2b_117_0227_IW2_VV")
CELLS = ("L3_E45N17_100km_E", "L3_E45N17_100km_U")
# field: decimals, least share of points that agree, in lines of sight and in cells. Calibration changed the velocity
# of the files of lines of sight, not their series; the seasonality of 358 cells agrees at 98 % but for chance.
FIELDS = {
    "rmse": (1, 0.98, 0.98),
    "mean_velocity": (1, 0.0, 0.98),
    "mean_velocity_std": (1, 0.98, 0.98),
    "acceleration_std": (2, 0.98, 0.98),
    "seasonality": (1, 0.98, 0.97),
    "seasonality_std": (1, 0.98, 0.98),
    "temporal_coherence": (2, 0.98, 0.98),
}


def read(shared, name):
    """Points of a real file."""
    return read_egms(shared / "data" / "egms_ustica" / f"EGMS_{name}_2020_2024_1.zip")


def agreement(computed, stored, decimals):
    """Share of values that are the same to the written decimals."""
    difference = np.round(np.asarray(computed, np.float64), decimals) - np.asarray(stored, np.float64)
    return np.mean(np.abs(difference) < 0.5 * 10.0**-decimals)


@pytest.mark.parametrize("name", [*BURSTS, *CELLS])
def test_fields_of_real_files_are_reproduced(shared, name):
    table = read(shared, name)
    again = recompute_fields(table)
    for field, (decimals, burst, cell) in FIELDS.items():
        if field in table.column_names:
            least = cell if name in CELLS else burst
            assert agreement(again[field], table[field], decimals) >= least, field
    first = series_fields(series(table), dates(table).astype(float)).first
    assert np.abs(first).max() < 0.1  # the fitted model is zero at the first date


@pytest.mark.parametrize("name", CELLS)
def test_cells_agree_as_far_as_rounded_series_can(shared, name):
    table = read(shared, name)
    days = dates(table).astype(float)
    random = np.random.default_rng(0)
    before = series(table) + random.uniform(-0.05, 0.05, series(table).shape).astype(np.float32)
    fine, rounded = series_fields(before, days), series_fields(np.round(before, 1), days)
    again = recompute_fields(table)
    for field, decimals in {"mean_velocity": 1, "acceleration": 2, "seasonality": 1, "rmse": 1}.items():
        expected = agreement(getattr(rounded, field), np.round(getattr(fine, field), decimals), decimals)
        chance = np.sqrt(max(expected * (1 - expected), 0.01) / len(table))
        assert agreement(again[field], table[field], decimals) > expected - 3 * chance, field
        error = np.std(getattr(rounded, field) - getattr(fine, field))
        beyond = np.abs(again[field].to_numpy() - table[field].to_numpy()) - 0.5 * 10.0**-decimals
        assert beyond.max() < 4.5 * error, field  # no cell disagrees by more than rounding explains
