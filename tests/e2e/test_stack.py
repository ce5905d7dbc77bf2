"""`groundshift stack` and `groundshift synth stack --layout`, as a user meets them."""

import numpy as np
import pytest

from groundshift.io.radar_stack import open_stack
from tests.reference.command import run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "city"
    done = run("synth", "stack", out, "--size", 48, "--dates", 4, "--layout", "isce2", "--layout", "snap")
    assert done.returncode == 0, done.stderr
    for name in ("isce2", "snap"):
        assert f"the same stack as {name} in {out / name}" in done.stdout
        assert (out / name).is_dir()
    return out


def test_a_stack_of_another_program_becomes_ours(made, tmp_path):
    done = run("stack", made / "isce2", "-o", tmp_path / "out.zarr", "--picture", tmp_path / "pair.png")
    assert done.returncode == 0, done.stderr
    assert "mean coherence of a pair 0." in done.stdout
    assert (tmp_path / "pair.png").stat().st_size > 10_000
    assert "4 images of 48 x 48 pixels" in done.stdout
    back, before = open_stack(tmp_path / "out.zarr"), open_stack(made / "stack.zarr")
    assert np.array_equal(back["slc"].values, before["slc"].values)
    assert np.allclose(back["perpendicular_baseline"], before["perpendicular_baseline"])


def test_errors_are_one_line(made, tmp_path):
    for given, said in (
        ((made, "-o", tmp_path / "a.zarr"), "is no stack of radar images that is known"),
        ((made / "isce2", "-o", tmp_path / "a.zarr", "--attributes", tmp_path / "no.json"), "cannot be read as JSON"),
    ):
        done = run("stack", *given)
        assert done.returncode == 1
        assert done.stderr.startswith("error:")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr


def test_a_network_of_interferograms_is_inverted(tmp_path):
    import rasterio

    days, transform = ("20200101", "20200113", "20200125", "20200206"), rasterio.Affine(50, 0, 5e5, 0, -50, 4e6)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "height": 12, "width": 15, "crs": "EPSG:32633"}
    slope = np.linspace(0, 1, 15, dtype=np.float32) + 0 * np.ones((12, 1), np.float32) + np.float32(0.001)
    for first in range(4):
        for second in range(first + 1, min(first + 3, 4)):
            path = tmp_path / "in" / f"{days[first]}_{days[second]}.unw.tif"
            path.parent.mkdir(exist_ok=True)
            with rasterio.open(path, "w", transform=transform, **profile) as file:
                file.write(slope * (second - first), 1)
    given = ("--incidence", 39, "--heading", -12, "--track", 44)
    done = run("invert", tmp_path / "in", "-o", tmp_path / "out", *given)
    assert done.returncode == 0, done.stderr
    assert "180 points of 5 interferograms and 4 dates" in done.stdout
    made = {each.name for each in (tmp_path / "out").iterdir()}
    assert made == {"points.parquet", "quicklook.png", "report.json", "run.json"}
    wrong = run("invert", tmp_path / "in", "-o", tmp_path / "out", *given, "--reference", "here")
    assert wrong.returncode == 2
    assert "LON,LAT,RADIUS" in wrong.stderr
