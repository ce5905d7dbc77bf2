"""The displacement-map contract: what it keeps and what it refuses."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import ContractError
from groundshift.grid.common import local_grid
from groundshift.model import displacement
from groundshift.model.reason import Reason

SHAPE = (3, 4)
UTM = GeoBox(SHAPE, Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32611")
ATTRIBUTES = dict.fromkeys(displacement.REQUIRED_ATTRIBUTES, "") | {
    "date_pre": "2019-07-04",
    "date_post": "2019-07-09",
    "method": "frequency",
}


def layers(**changes) -> dict[str, np.ndarray]:
    """Layers of a small map with one pixel that is not valid; a change of None leaves a layer out."""
    reason = np.zeros(SHAPE, np.uint8)
    reason[1, 2] = Reason.CLOUD
    made = {name: np.full(SHAPE, value, np.float32) for name, value in (("east", 0.5), ("north", -1.25))}
    made |= {name: np.full(SHAPE, 0.1, np.float32) for name in ("east_sigma", "north_sigma", "quality")}
    for values in made.values():
        values[1, 2] = np.nan
    return {name: values for name, values in (made | {"reason": reason} | changes).items() if values is not None}


def build(grid=UTM, attributes=ATTRIBUTES, **changes) -> xr.Dataset:
    """The small map, with what a test wants otherwise."""
    return displacement.displacement_map(layers(**changes), grid, attributes)


def test_valid_follows_from_reason():
    dataset = build()
    np.testing.assert_array_equal(dataset["valid"], dataset["reason"] == Reason.VALID)
    assert dataset["valid"].dtype == bool
    assert int(dataset["valid"].sum()) == 11


def test_the_grid_stays_with_the_map():
    dataset = build()
    assert dataset["east"].dims == ("y", "x")
    assert dataset.rio.crs.to_epsg() == 32611
    np.testing.assert_allclose(dataset["x"], [500_005, 500_015, 500_025, 500_035], err_msg="pixel centres")
    np.testing.assert_allclose(dataset["y"], [3_999_995, 3_999_985, 3_999_975], err_msg="row 0 is north")


def test_geographic_grids_have_the_same_dimensions():
    grid = GeoBox(SHAPE, Affine(1e-4, 0, -117.5, 0, -1e-4, 35.8), "EPSG:4326")
    assert build(grid)["north"].dims == ("y", "x")


def test_layers_say_what_they_are():
    dataset = build(up=layers()["east"], up_sigma=layers()["east_sigma"])
    assert displacement.components(dataset) == ("east", "north", "up")
    assert {name: dataset[name].attrs["units"] for name in ("east", "up_sigma", "quality")} == {
        "east": "m",
        "up_sigma": "m",
        "quality": "1",
    }
    flags = dict(
        zip(dataset["reason"].attrs["flag_meanings"].split(), dataset["reason"].attrs["flag_values"], strict=True)
    )
    assert flags["cloud"] == Reason.CLOUD
    assert dataset.attrs["date_post"] == "2019-07-09"


def test_every_reason_has_a_meaning():
    assert len({reason.meaning for reason in Reason}) == len(Reason)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"north": None}, "needs 'east' and 'north'"),
        ({"north_sigma": None}, "'north_sigma' is missing"),
        ({"quality": None}, "'quality' is missing"),
        ({"reason": None}, "'reason' is missing"),
        ({"east": np.zeros((4, 3), np.float32)}, r"'east' has shape \(4, 3\); the grid is \(3, 4\)"),
        ({"east": np.zeros(SHAPE, np.float32)}, "'east' must be finite exactly where 'valid' is true"),
        ({"quality": np.full(SHAPE, np.nan, np.float32)}, "'quality' must be finite exactly"),
        ({"east_sigma": layers()["east_sigma"] * 0}, "'east_sigma' has values <= 0 m"),
        ({"up": layers()["east"]}, "'up_sigma' is missing"),
    ],
)
def test_refused_layers(changes, message):
    with pytest.raises(ContractError, match=message):
        build(**changes)


def test_a_map_says_where_it_comes_from():
    with pytest.raises(ContractError, match=r"\['method'\] are missing"):
        build(attributes={name: value for name, value in ATTRIBUTES.items() if name != "method"})


def test_a_map_has_a_crs():
    with pytest.raises(ContractError, match="has no CRS"):
        displacement.check(build().drop_vars("spatial_ref"))


def test_stacks_in_time_are_maps_too():
    stack = xr.concat([build(), build()], xr.DataArray(np.array(["2019-07-09", "2019-07-14"], "M8[ns]"), dims="time"))
    displacement.check(stack)
    assert stack["east"].dims == ("time", "y", "x")
    with pytest.raises(ContractError, match="expected \\(y, x\\) or \\(time, y, x\\)"):
        displacement.check(stack.rename(time="epoch"))


def test_description_in_words():
    text = displacement.describe(build())
    assert "3 x 4 pixels of 10 m, EPSG:32611" in text
    assert "from 2019-07-04 to 2019-07-09, method frequency" in text
    assert "valid: 91.7 %" in text
    assert "north: median -1.250 m" in text


def test_a_crs_without_a_code_goes_by_its_name():
    text = displacement.describe(build(grid=local_grid(SHAPE, resolution=0.5)))
    assert text.splitlines()[0].endswith("pixels of 0.5 m, local metres (no place on Earth)")


def test_an_empty_map_can_be_described():
    nothing = {name: np.full(SHAPE, np.nan, np.float32) for name in layers() if name != "reason"}
    dataset = build(reason=np.full(SHAPE, Reason.NO_DATA, np.uint8), **nothing)
    assert displacement.describe(dataset).endswith("valid: 0.0 % of pixels; no data in one of the images 100.0 %")


def test_why_pixels_are_empty_is_told_the_most_frequent_first():
    reason = np.full(SHAPE, Reason.VALID, np.uint8)
    reason[0, :2], reason[1:, 1] = Reason.NO_DATA, Reason.NO_MATCH
    reason[2, :] = Reason.NO_MATCH
    empty = {name: np.where(reason == 0, np.float32(0.1), np.float32(np.nan)) for name in layers() if name != "reason"}
    said = displacement.describe(build(reason=reason, **empty)).splitlines()[2]
    assert said == "valid: 41.7 % of pixels; no reliable match 41.7 %, no data in one of the images 16.7 %"


def test_small_motion_is_told_with_the_digits_of_its_sigma():
    small = {name: layer * np.float32(2e-5) for name, layer in layers().items() if name not in ("reason", "quality")}
    assert "north: median -0.0000250 m" in displacement.describe(build(**small))


@pytest.mark.parametrize(
    ("sigma", "digits"), [(20.0, 3), (0.14, 3), (0.0099, 4), (1.7e-5, 6), (1e-4, 5), (0.0, 3), (np.inf, 3), (np.nan, 3)]
)
def test_two_digits_of_a_sigma_are_told(sigma, digits):
    assert displacement.decimals(sigma) == digits
