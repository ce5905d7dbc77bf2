import dask.array as da
import numpy as np
import pytest
import xarray as xr

from groundshift.errors import ContractError, InputError
from groundshift.insar.config import ReferenceConfig
from groundshift.insar.stack.places import local_plane, local_positions, stack_geometry
from groundshift.io.radar_stack import cube_writer, open_stack, write_stack
from groundshift.model.radar_stack import LAYERS, build_stack, check_stack, reference_index

DATES = np.array(["2020-01-01", "2020-01-13", "2020-01-25"], "datetime64[D]")
ATTRIBUTES = {
    "wavelength": 0.055465763, "slant_range": 860e3, "range_spacing": 2.33, "azimuth_spacing": 13.9,
    "reference_date": "2020-01-13", "track": 15, "burst": 282, "swath": "IW2", "polarisation": "VV",
    "orbit": "ascending", "source": "a test",
}  # fmt: skip
SHAPE = (300, 270)


def layers(shape=SHAPE):
    up = {"los_east": -0.6, "los_north": 0.0, "los_up": 0.8, "incidence": 36.87, "height": 100.0, "latitude": 45.0}
    return {name: np.full(shape, up.get(name, 10.0)) for name in LAYERS}


def pixels(random=None):
    random = random or np.random.default_rng(1)
    slc = random.standard_normal((3, *SHAPE, 2), np.float32).view(np.complex64)[..., 0]
    slc[1, :5] = 0
    return slc


def stack(**other):
    options = {"layers": layers(), "perpendicular_baseline": [20, 0, -70], "attributes": ATTRIBUTES, **other}
    return build_stack(options.pop("slc", pixels()), options.pop("dates", DATES), **options)


def test_a_stack_is_built_with_its_types_and_reference():
    built = stack(lines=np.arange(40, 340))
    assert built["height"].dtype == np.float32
    assert built["latitude"].dtype == np.float64
    assert built["y"].values[0] == 40
    assert reference_index(built) == 1


def test_a_lazy_stack_stays_lazy_and_is_not_read():
    def read(block):
        raise AssertionError("pixels were read")

    slc = da.zeros((3, *SHAPE), np.complex64, chunks=100).map_blocks(read, dtype=np.complex64, meta=np.empty(0))
    check_stack(stack(slc=slc))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.drop_vars("slc"), r"needs \['slc'\]"),
        (lambda s: s.drop_vars(["height", "los_up"]), r"needs \['los_up', 'height'\]"),
        (lambda s: s.drop_vars("time"), r"coordinates \['time'\]"),
        (lambda s: s.assign(slc=s.slc.astype("complex128")), "'slc' is complex128; expected complex64"),
        (lambda s: s.assign(latitude=s.latitude.astype("float32")), "'latitude' is float32; expected float64"),
        (lambda s: s.assign(slc=s.slc.transpose("y", "x", "time")), "expected .'time', 'y', 'x'"),
        (lambda s: s.isel(time=[0, 2, 1]), "2020-01-13 comes after a later date"),
        (lambda s: s.isel(time=[0, 1, 1]), "2020-01-13 is there twice"),
        (lambda s: s.isel(time=[1]), "needs two"),
        (lambda s: s.isel(time=[0, 2]), "'2020-01-13' is none of the dates"),
        (lambda s: s.assign_coords(time=s.time + np.timedelta64(6, "h")), "expected whole days"),
        (lambda s: s.assign_coords(time=[1, 2, 3]), "'time' is int64"),
        (lambda s: s.assign_coords(x=s.x * 2), "grow by 1"),
        (lambda s: s.assign_coords(y=s.y + 0.5), "'y' is 0.5 to 299.5; expected whole numbers"),
        (lambda s: s.assign(los_up=s.los_up * 2), "length 1.7088; expected 1"),
        (lambda s: s.assign(los_up=-s.los_up), "from the ground to the satellite"),
        (lambda s: s.assign(incidence=s.incidence + 100), "'incidence' is not within 0 to 90"),
        (lambda s: s.assign(perpendicular_baseline=s.perpendicular_baseline + 5), "is 5 m at the reference date"),
        (lambda s: s.assign(perpendicular_baseline=s.perpendicular_baseline * np.float32("nan")), "not finite"),
        (lambda s: s.assign_attrs(wavelength=-1), "attribute 'wavelength' is -1; expected a number above 0"),
        (lambda s: s.assign_attrs(orbit="up"), "expected one of ascending, descending"),
        (lambda s: s.assign_attrs(track="15"), "attribute 'track' is '15'; expected a whole number"),
        (lambda s: s.drop_attrs(), "'wavelength', 'slant_range'"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_named(change, said):
    with pytest.raises(ContractError, match=said):
        check_stack(change(stack()))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"layers": layers((300, 271))}, r"sizes differ: slc is \(3, 300, 270\), but los_east \(300, 271\) instead"),
        ({"dates": DATES[:2]}, r"dates \(2,\) instead of \(3,\)"),
        ({"perpendicular_baseline": [0, 0]}, "perpendicular_baseline"),
        ({"slc": pixels()[0]}, "expected .time, y, x."),
        ({"layers": {**layers(), "azimuth": np.zeros(SHAPE)}}, r"layers \['azimuth'\] are not of a stack"),
        ({"layers": {"height": np.zeros(SHAPE)}}, "needs .'los_east'"),
    ],
)
def test_arrays_that_do_not_fit_are_named(other, said):
    with pytest.raises(ContractError, match=said):
        stack(**other)


def test_pixels_without_geometry_are_allowed():
    given = layers()
    for each in given.values():
        each[:10] = np.nan
    check_stack(stack(layers=given))


def test_a_stack_comes_back_from_disk_as_it_was(tmp_path):
    slc = pixels()
    slc[2, 7, 7] = complex("nan")
    before = stack(slc=slc)
    write_stack(tmp_path / "a.zarr", before)
    after = open_stack(tmp_path / "a.zarr")
    assert after["slc"].chunks == ((3,), (256, 44), (256, 14))
    xr.testing.assert_identical(before, after.compute())
    assert {each.name for each in tmp_path.iterdir()} == {"a.zarr"}


def test_a_stack_is_replaced_and_a_failure_leaves_the_old_one(tmp_path):
    def fail(block):
        raise RuntimeError("disk on fire")

    path = tmp_path / "a.zarr"
    write_stack(path, stack())
    other = stack(slc=pixels(np.random.default_rng(2)))
    write_stack(path, other)
    broken = da.zeros((3, *SHAPE), np.complex64, chunks=100).map_blocks(fail, meta=np.empty((0, 0, 0), np.complex64))
    with pytest.raises(RuntimeError, match="on fire"):
        write_stack(path, stack(slc=broken))
    np.testing.assert_array_equal(open_stack(path)["slc"], other["slc"])
    assert {each.name for each in tmp_path.iterdir()} == {"a.zarr"}


def test_windows_make_the_same_stack(tmp_path):
    whole = stack()
    with cube_writer(tmp_path / "a.zarr", whole) as write:
        for rows in (slice(256, 300), slice(0, 256)):
            some = whole.isel(y=rows)
            write({name: some[name].values for name in ("slc", *LAYERS)}, rows, slice(0, 270))
    xr.testing.assert_identical(open_stack(tmp_path / "a.zarr").compute(), whole)


def test_what_is_no_stack_on_disk_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Zarr folder"):
        open_stack(tmp_path / "nothing")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete")
    with pytest.raises(InputError, match="choose another name"):
        write_stack(tmp_path / "mine", stack())
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_places_of_a_stack_across_180_degrees_are_metres_apart():
    longitude = np.broadcast_to(179.97 + 1e-3 * np.arange(64), (32, 64))
    layers = {"latitude": np.full((32, 64), -17.0), "longitude": np.where(longitude > 180, longitude - 360, longitude)}
    seen = xr.Dataset({name: (("y", "x"), values) for name, values in layers.items()})
    first, last = local_positions(seen, local_plane(seen), np.array([0, 0]), np.array([0, 63]))
    np.testing.assert_allclose(last - first, [63e-3 * 106_487, 0], atol=5)  # m a degree of longitude there
    with pytest.raises(InputError, match="does not say where"):
        local_plane(seen * np.nan)


@pytest.mark.parametrize("wrong", [np.radians, lambda angle: angle - 4.5])
def test_incidences_that_are_none_are_refused(wrong):
    """In radians, or the angle at the satellite, which is some degrees smaller."""
    given = layers()
    given["incidence"] = wrong(np.asarray(given["incidence"]))
    with pytest.raises(ContractError, match="degrees off the incidence"):
        stack(layers=given)


def test_stacks_of_few_dates_are_refused():
    """Of five to seven, phases would be linked and points without a place be made."""
    days = np.arange("2020-01-01", "2020-02-01", 4, dtype="datetime64[D]")
    few = stack(slc=np.ones((7, *SHAPE), np.complex64), dates=days[:7], perpendicular_baseline=np.zeros(7))
    with pytest.raises(InputError, match="has 7 dates; give 8 or more"):
        stack_geometry(few, ReferenceConfig())
    more = stack(slc=np.ones((8, *SHAPE), np.complex64), dates=days, perpendicular_baseline=np.zeros(8))
    assert len(stack_geometry(more, ReferenceConfig())[0].days) == 8
