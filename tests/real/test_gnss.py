"""Velocities of the Alps and of the north of Europe: what a model predicts without a station, and how well it knows."""

import numpy as np
import pytest

from groundshift.geodesy.velocity_field import GridField
from groundshift.geodesy.velocity_model import fit_velocity_model
from groundshift.io.egms import read_egms
from groundshift.io.gnss.files import read_gnss
from groundshift.io.points import read_points
from groundshift.model.points import series
from groundshift.model.velocity_grid import describe_grid
from groundshift.products.calibrate import CalibrateConfig, calibrate_points


@pytest.fixture(scope="module")
def alps(shared):
    return read_gnss(shared / "data" / "gnss" / "alps-gps-velocity.csv.xz", frame="plate-fixed EURA")


@pytest.fixture(scope="module")
def model(alps):
    return fit_velocity_model(alps)


def test_the_alps_left_one_out(alps, model):
    assert len(alps) == 186
    left = model.leave_one_out()
    east, north, up = np.sqrt(np.mean(left.error**2, axis=0))
    assert np.hypot(east, north) / np.sqrt(2) < 0.4
    assert up < 0.8
    standardised = left.error / left.sigma
    for each in (standardised, left.score):  # of all stations
        variance = np.mean(each**2, axis=0)
        assert (variance > 0.8).all()
        assert (variance < 1.25).all()
    assert (left.weight[np.isin(alps.name, ["WLBH", "MOGN"]), 2] < 0.2).all()


def test_the_alps_rise_and_adria_turns(model):
    (_, _, valais), (_, friuli, _) = model.at(np.array([46.2, 45.9]), np.array([7.6, 13.0])).velocity
    assert 1.0 < valais < 2.5  # Sánchez et al. (2018), doi:10.5194/essd-10-1503-2018: up to 2 mm/yr
    assert 1.5 < friuli < 3.0


def test_the_land_rises_around_the_gulf_of_bothnia(shared):
    grid = read_gnss(shared / "data" / "gnss" / "eur_nkg_nkgrf17vel.tif")
    assert "313 x 301 nodes" in describe_grid(grid)
    assert grid.frame == "ETRF2014"
    assert (np.diff(grid.y) > 0).all()
    up = GridField(grid).at(np.array([64.75, 55.0]), np.array([21.0, 10.0])).velocity[:, 2]
    assert up[0] > 9.5  # Vestøl et al. (2019), doi:10.1007/s00190-019-01280-8: about 10 mm/yr near Umeå
    assert abs(up[1]) < 1


def test_bursts_of_the_service_are_harmonised(shared, tmp_path):
    folder = shared / "data" / "egms_ustica"
    paths = sorted(folder.glob("EGMS_L2b*.zip"))
    result = calibrate_points(paths, tmp_path, config=CalibrateConfig(cell=1.0), executor="serial")
    assert result.report["points"] == 5770 + 6753
    for path, made in zip(paths, result.paths, strict=True):
        before, after = read_egms(path), read_points(made)
        shift = before["mean_velocity"].to_numpy() - after["mean_velocity"].to_numpy()
        assert np.ptp(shift) < 1  # offset and tilt over a few kilometres
        last = (series(before)[:, -1] - series(after)[:, -1]) / shift
        assert np.ptp(last[np.abs(shift) > 0.1]) < 0.2
        cells = np.median(after["mean_velocity"].to_numpy())
        assert abs(cells) < 0.3
