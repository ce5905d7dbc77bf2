"""Files of EGMS as delivered are read, and written again byte by byte."""

import zipfile

import pytest

from groundshift.io.egms import read_egms, write_egms
from groundshift.kernels.point_codes import Burst, cell_codes, point_places
from groundshift.model.points import header

FILES = {
    "EGMS_L2b_022_0845_IW2_VV_2020_2024_1": (5770, 210),
    "EGMS_L2b_117_0227_IW2_VV_2020_2024_1": (6753, 207),
    "EGMS_L3_E45N17_100km_E_2020_2024_1": (358, 304),
    "EGMS_L3_E45N17_100km_U_2020_2024_1": (358, 304),
}


@pytest.mark.parametrize("stem", FILES)
def test_a_file_makes_itself_again(shared, tmp_path, stem):
    path = shared / "data" / "egms_ustica" / f"{stem}.zip"
    table = read_egms(path)
    record = header(table)
    assert (len(table), len(record.dates)) == FILES[stem]
    assert record.provenance["egms"]["header"]["production_facility"] == "1"
    reference = "2019-07-31" if "_L2b_" in stem else None
    assert record.provenance.get("reference_date") == reference
    written = write_egms(tmp_path, table, level=1)
    assert written.name == path.name
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(written) as new:
        assert new.read(f"{stem}.csv") == old.read(f"{stem}.csv")
        assert new.read(f"{stem}.xml") == path.with_suffix(".xml").read_bytes()


def test_cells_have_the_codes_of_their_places(shared):
    table = read_egms(shared / "data" / "egms_ustica" / "EGMS_L3_E45N17_100km_U_2020_2024_1.zip")
    codes = cell_codes(table["easting"].to_numpy(), table["northing"].to_numpy(), producer="EGEOS")
    assert codes.tolist() == table["pid"].to_pylist()


@pytest.mark.parametrize("burst", [Burst(22, 845, "IW2", "VV"), Burst(117, 227, "IW2", "VV")])
def test_points_have_the_codes_of_their_lines_and_pixels(shared, burst):
    name = f"EGMS_L2b_{burst.track:03d}_{burst.cycle:04d}_{burst.swath}_{burst.polarisation}_2020_2024_1.zip"
    table = read_egms(shared / "data" / "egms_ustica" / name)
    places = point_places(table["pid"].to_numpy())
    assert set(places.bursts) == {burst}
    assert set(places.producers) == {"EGEOS"}
    assert places.lines.tolist() == table["line"].to_pylist()
    assert places.pixels.tolist() == table["pixel"].to_pylist()
