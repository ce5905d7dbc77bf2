"""The Ortho product of the European Ground Motion Service, made again from its Calibrated products."""

import datetime

import numpy as np
import pytest

from groundshift.io.egms import read_egms
from groundshift.model.points import dates, series
from groundshift.products.ortho import OrthoConfig, ortho_tables


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "data" / "egms_ustica"


@pytest.fixture(scope="module")
def ours(folder):
    """East and up; the dates of the real product are one day off the grid of the documents."""
    sources = [folder / f"EGMS_L2b_{burst}_IW2_VV_2020_2024_1.zip" for burst in ("022_0845", "117_0227")]
    (tables,) = ortho_tables(sources, OrthoConfig(origin=datetime.date(2014, 4, 4)), north_removed=True)
    return dict(zip("EU", tables, strict=True))


@pytest.mark.parametrize("component", ["E", "U"])
def test_official_ortho_is_reproduced(folder, ours, component):
    official = read_egms(folder / f"EGMS_L3_E45N17_100km_{component}_2020_2024_1.zip")
    place = {code[1:]: row for row, code in enumerate(ours[component]["pid"].to_pylist())}  # the first says who made it
    rows = np.array([place.get(code[1:], -1) for code in official["pid"].to_pylist()])
    assert np.mean(rows >= 0) >= 0.99
    assert len(place) <= 1.01 * len(official)
    np.testing.assert_array_equal(dates(ours[component]), dates(official))
    table = ours[component].take(rows[rows >= 0])
    official = official.filter(rows >= 0)
    difference = table["mean_velocity"].to_numpy() - official["mean_velocity"].to_numpy()
    assert abs(difference.mean()) <= 0.03
    assert difference.std() <= 0.10
    assert np.abs(difference).max() < 0.06  # the official ones have one decimal
    assert np.sqrt(np.mean((series(table) - series(official)) ** 2)) < 0.15
    written = np.round(table["seasonality"].to_numpy().astype(float), 1) - official["seasonality"].to_numpy()
    assert np.mean(np.abs(written) < 0.05) >= 0.98  # to the written decimal: these series are not rounded
    for name, decimals in (
        ("mean_velocity_std", 1),
        ("acceleration", 2),
        ("seasonality", 1),
        ("rmse", 1),
        ("height", 1),
    ):
        same = np.abs(table[name].to_numpy() - official[name].to_numpy()) < 0.6 * 10.0**-decimals
        assert same.mean() >= 0.95, name
