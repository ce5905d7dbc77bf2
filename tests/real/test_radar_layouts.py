"""Real radar data in the layouts of other programs: a pair over Amsterdam, interferograms of Mexico City."""

import numpy as np
import pytest

from groundshift.figures.interferogram import interferogram
from groundshift.insar.interferograms.survey import InvertConfig
from groundshift.insar.invert import POINTS_NAME, invert_interferograms
from groundshift.io.points import read_points
from groundshift.io.stacks import open_any_stack
from groundshift.model.points import header
from groundshift.model.radar_stack import check_stack


@pytest.fixture(scope="module")
def amsterdam(shared):
    folder = shared / "data" / "s1_slc_pair_amsterdam_sarxarray"
    if not folder.is_dir():
        pytest.skip("the folder of shared data has no pair of Amsterdam")
    return open_any_stack(folder)


@pytest.fixture(scope="module")
def mexico(shared, tmp_path_factory):
    folder = shared / "data" / "insar_pyrate_cropA_mexico"
    if not folder.is_dir():
        pytest.skip("the folder of shared data has no interferograms of Mexico City")
    out = tmp_path_factory.mktemp("mexico")
    config = InvertConfig(heading=-12.0, track=5, reference=(-99.183, 19.38, 700.0))
    return out, invert_interferograms(folder, out, config)


def test_the_pair_of_amsterdam_is_read_with_its_geometry(amsterdam):
    check_stack(amsterdam)
    assert amsterdam.sizes == {"time": 2, "y": 84, "x": 338}
    assert (amsterdam.attrs["track"], amsterdam.attrs["orbit"], amsterdam.attrs["swath"]) == (37, "descending", "IW3")
    assert amsterdam.attrs["range_spacing"] == pytest.approx(2.3296, abs=1e-3)
    assert amsterdam.attrs["azimuth_spacing"] == pytest.approx(13.9, abs=0.2)
    assert abs(amsterdam["perpendicular_baseline"].values).max() < 1
    assert (amsterdam["los_east"].values > 0.6).all()  # a descending satellite is to the east
    # what the incidence of the tie points says of the range, on a round earth and an orbit 700 km above it
    angle = np.radians(float(amsterdam["incidence"].mean()))
    expected = np.sqrt(7.07e6**2 - (6.365e6 * np.sin(angle)) ** 2) - 6.365e6 * np.cos(angle)
    assert amsterdam.attrs["slant_range"] == pytest.approx(expected, rel=0.02)


def test_the_pair_of_amsterdam_is_coherent(amsterdam):
    secondary, reference = amsterdam["slc"].values
    _, phase, coherence = interferogram(reference, secondary, window=(3, 12))
    assert 0.70 < coherence.mean() < 0.80
    whole = (np.exp(1j * phase) * coherence).mean()
    assert abs(whole) / coherence.mean() > 0.8  # twelve days of flat ground: no fringes are left
    _, _, shuffled = interferogram(reference, np.roll(secondary, 20, axis=1), window=(3, 12))
    assert shuffled.mean() < 0.4


def test_mexico_city_sinks_and_its_hills_do_not(mexico):
    out, found = mexico
    velocity = found.velocity
    assert found.points > 5500
    assert -320 < np.nanpercentile(velocity, 1) < -220
    assert abs(np.nanmedian(velocity[:, :20])) < 40  # the hills in the west
    hill = velocity[5:12, 71:78]  # Peñón de los Baños, a rock in the lake bed
    assert np.nanmax(hill) > np.nanmedian(velocity[0:20, 60:100]) + 100
    table = read_points(out / POINTS_NAME)
    assert (header(table).track, header(table).crs.to_epsg()) == (5, 32614)


def test_interferograms_of_mexico_city_close(mexico):
    numbers = mexico[1].report
    assert numbers["closure"]["open_share"] < 0.001
    assert numbers["closure"]["misclosure_rms_radians"] < 0.2
    assert numbers["residual_rms_mm"]["all"] < 3
