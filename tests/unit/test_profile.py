"""Profiles across simulated steps."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage

from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.profile import profile_figure
from groundshift.io import write_dataset
from groundshift.model.displacement import displacement_map
from groundshift.optical.profile import offset_curve, swath_profile, write_profiles

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
GRID = GeoBox((120, 160), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
TRACE = np.array([[500_800.0, 3_998_800.0], [500_800.0, 4_000_000.0]])  # from south to north, in the middle
ATTRIBUTES = dict.fromkeys(
    ("date_pre", "date_post", "method", "source_pre", "source_post", "software", "configuration_hash"), "test"
)


def stepped(slip=3.0, opening=0.5, noise=0.2, seed=0, correlated=2.0):
    """Right-lateral slip across a trace to the north: the west moves north."""
    random = np.random.default_rng(seed)
    x = (np.arange(160) - 79.5)[None, :].repeat(120, 0)
    errors = [ndimage.gaussian_filter(random.normal(size=x.shape), correlated) for _ in range(2)]
    errors = [noise * each / each.std() for each in errors]
    north = np.where(x < 0, slip / 2, -slip / 2) + 0.004 * x + errors[0]
    east = np.where(x < 0, -opening / 2, opening / 2) + errors[1]
    layers = {name: values.astype(np.float32) for name, values in (("east", east), ("north", north))}
    for name in ("east_sigma", "north_sigma", "quality"):
        layers[name] = np.full(x.shape, noise, np.float32)
    return displacement_map({**layers, "reason": np.zeros(x.shape, np.uint8)}, GRID, ATTRIBUTES)


def test_offset_and_signs():
    profile = swath_profile(stepped(), TRACE, length=1400)
    assert profile.offset.right_lateral == pytest.approx(3.0, abs=4 * profile.offset.right_lateral_sigma)
    assert profile.offset.opening == pytest.approx(0.5, abs=4 * profile.offset.opening_sigma)
    assert 0.005 < profile.offset.right_lateral_sigma < 0.15
    assert profile.lines[0, 0, 1] == pytest.approx(0.004 / 10, abs=2e-4)  # slope, metres a metre
    near = np.abs(profile.distance) < 200
    assert profile.parallel[near & (profile.distance < 0)].mean() > 1


def test_error_bars_are_honest():
    z = []
    for seed in range(20):
        for offset in offset_curve(stepped(seed=seed), TRACE, spacing=300, length=1400):
            z.append((offset.right_lateral - 3.0) / offset.right_lateral_sigma)
    assert len(z) == 80
    assert 0.4 < np.mean(np.square(z)) < 1.3  # errors here are less alike within a cell than those of a map


def test_error_bars_count_errors_that_are_alike_far_off():
    """Over some 55 pixels, more than a quarter of the map: the scatter within a swath does not tell them."""
    side, z = 200, []
    grid = GeoBox((side, side), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
    trace = np.array([[501_000.0, 3_998_100.0], [501_000.0, 3_999_900.0]])
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=(2, side + 128, side + 128))
        errors = ndimage.gaussian_filter(noise, (0, 16, 16))[:, 64:-64, 64:-64] * (32 * np.sqrt(np.pi))
        one = np.ones((side, side), np.float32)
        layers = {
            "east": errors[0].astype(np.float32), "north": errors[1].astype(np.float32), "east_sigma": one,
            "north_sigma": one, "quality": one, "reason": np.zeros((side, side), np.uint8),
        }  # fmt: skip
        offset = swath_profile(displacement_map(layers, grid, ATTRIBUTES), trace, length=1900).offset
        z += [offset.right_lateral / offset.right_lateral_sigma, offset.opening / offset.opening_sigma]
    assert 0.4 < np.mean(np.square(z)) < 1.5  # 1.9 without them; few of them lie side by side in this map


def test_files(tmp_path):
    write_dataset(tmp_path / "map.tif", stepped())
    points = " ".join(f"{x},{y}" for x, y in TRACE)
    said = write_profiles(tmp_path / "map.tif", points, tmp_path / "out", length=1400)
    assert "right-lateral +" in said
    lines = (tmp_path / "out" / "offsets.csv").read_text().splitlines()
    assert lines[0] == "along_m,right_lateral_m,right_lateral_sigma_m,opening_m,opening_sigma_m"
    assert len(lines) > 10
    assert (tmp_path / "out" / "profile.png").stat().st_size > 10_000


def test_figure_has_units():
    profile = swath_profile(stepped(), TRACE, length=1400)
    figure = profile_figure(profile, [profile.offset])
    assert len(figure.axes) == 3
    assert all("(m)" in axes.get_ylabel() for axes in figure.axes)


def test_errors():
    dataset = stepped()
    with pytest.raises(InputError, match="lies outside the map"):
        swath_profile(dataset, TRACE + 1e6, length=1400)
    with pytest.raises(ConfigurationError, match="leaves nothing"):
        swath_profile(dataset, TRACE, length=100, gap=60)
    with pytest.raises(ConfigurationError, match="two points"):
        swath_profile(dataset, TRACE[:1], length=100)
    with pytest.raises(InputError, match="independent measurements"):
        swath_profile(dataset, TRACE, length=120, width=30)
    degrees = dataset.assign_coords(x=dataset["x"] / 1e5, y=dataset["y"] / 1e5).rio.write_crs("EPSG:4326")
    with pytest.raises(InputError, match="units of degree"):
        swath_profile(degrees, TRACE / 1e5, length=0.014)
    with pytest.raises(InputError, match="has no north"):
        swath_profile(dataset.drop_vars("north"), TRACE, length=1400)


def test_a_bin_of_one_measurement_is_not_certain():
    dataset = stepped()
    dataset["valid"][1:] &= np.abs(dataset["x"] - 500_300) > 20  # near there, one row is left
    profile = swath_profile(dataset, TRACE, length=1400, bin_width=10)
    few = np.abs(profile.distance + 500) < 15
    assert np.isfinite(profile.parallel[few]).all()
    assert (profile.parallel_sigma[few] > 0.15).all()
    assert (profile.perpendicular_sigma[few] > 0.15).all()
