"""Fields computed from the series of real EGMS files are those that the files hold."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from groundshift.kernels.series_fields import series_fields

# column of the file, field, decimals; calibration has changed the velocity of the file, not that of the series
COLUMNS = (
    ("rmse_ts", "rmse", 1),
    ("mean_velocity_std", "mean_velocity_std", 1),
    ("acceleration_std", "acceleration_std", 2),
    ("seasonality", "seasonality", 1),
    ("seasonality_std", "seasonality_std", 1),
    ("temporal_coherence", "temporal_coherence", 2),
)


@pytest.mark.parametrize("burst", ["022_0845", "117_0227"])
def test_fields_of_real_files_are_reproduced(shared, burst):
    path = shared / "data" / "egms_ustica" / f"EGMS_L2b_{burst}_IW2_VV_2020_2024_1.zip"
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        table = pd.read_csv(file)
    dates = [name for name in table.columns if name.isdigit()]
    days = np.array([f"{each[:4]}-{each[4:6]}-{each[6:]}" for each in dates], "datetime64[D]").astype(float)
    fields = series_fields(table[dates].to_numpy(), days)
    assert len(table) > 5000
    for column, field, decimals in COLUMNS:
        same = np.abs(np.round(getattr(fields, field), decimals) - table[column]) < 0.5 * 10.0**-decimals
        assert same.mean() >= 0.98, column
    assert np.abs(fields.first).max() < 0.1  # the fitted model is zero at the first date
