"""`groundshift ortho` from files to files."""

import numpy as np
import rasterio
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.io import read_map
from groundshift.io.egms import read_egms
from groundshift.io.points import read_points, write_points
from groundshift.model.points import series
from tests.reference.tracks import track


def test_two_tracks_become_a_grid(tmp_path):
    for number in (22, 117):
        write_points(tmp_path / f"{number}.parquet", track(number, points=1500, side=2500, north=False))
    arguments = ["ortho", *(str(tmp_path / f"{each}.parquet") for each in (22, 117)), "-o", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "still holds the north motion" in str(refused.exception)
    done = CliRunner().invoke(app, [*arguments, "--north-removed"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = {path.name for path in (tmp_path / "out").iterdir()}
    tile = {f"L3_E45N30_{component}.{end}" for component in "EU" for end in ("parquet", "tiff")}
    zips = {f"EGMS_L3_E45N30_100km_{component}_2020_2023_1.zip" for component in "EU"}
    assert found == tile | zips | {"velocity.tif", "quicklook.png", "record.json", "run.json"}
    up = read_points(tmp_path / "out" / "L3_E45N30_U.parquet")
    delivered = read_egms(tmp_path / "out" / "EGMS_L3_E45N30_100km_U_2020_2023_1.zip")
    assert delivered["pid"].to_pylist() == up["pid"].to_pylist()
    np.testing.assert_allclose(series(delivered), series(up), atol=0.06)
    velocity = read_map(tmp_path / "out" / "velocity.tif")
    assert velocity["up"].attrs["units"] == "m/yr"
    assert int(velocity["valid"].sum()) == len(up)
    x, y, rate = (up[name].to_numpy() for name in ("easting", "northing", "mean_velocity"))
    rows, columns = (np.searchsorted(-velocity["y"].values, -y), np.searchsorted(velocity["x"].values, x))
    np.testing.assert_allclose(1000 * velocity["up"].values[rows, columns], rate, atol=1e-4)
    with rasterio.open(tmp_path / "out" / "L3_E45N30_U.tiff") as file:
        assert (file.shape, file.nodata, file.dtypes) == ((1000, 1000), -9999, ("float32",))
        assert file.transform[:6] == (100, 0, 4_500_000, 0, -100, 3_100_000)
        np.testing.assert_array_equal([each[0] for each in file.sample(zip(x, y, strict=True))], rate)
        assert np.count_nonzero(file.read(1) != -9999) == len(up)
