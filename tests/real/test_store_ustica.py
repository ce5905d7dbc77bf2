"""The store on real EGMS files: what the zips hold is what is read back, and the explorer serves it."""

import numpy as np
import pytest
from reference.explorer import served

from groundshift.explore.ingestion import ingest
from groundshift.io.egms import read_egms
from groundshift.io.store import PointStore
from groundshift.model.points import dates, header, series

FILES = ("EGMS_L2b_022_0845_IW2_VV_2020_2024_1.zip", "EGMS_L3_E45N17_100km_U_2020_2024_1.zip")


@pytest.fixture(scope="module")
def store(shared, tmp_path_factory):
    """A burst and a component of the grid of Ustica."""
    out = tmp_path_factory.mktemp("ustica") / "store"
    ingest([shared / "data/egms_ustica" / name for name in FILES], out, executor="serial")
    return PointStore(out)


@pytest.mark.parametrize("name", FILES)
def test_a_product_comes_back_whole(store, shared, name):
    table = read_egms(shared / "data/egms_ustica" / name)
    (part,) = [p for p in store.manifest.parts if p.level == header(table).level]
    assert part.tile == "E45N17"  # as EGMS names it
    np.testing.assert_array_equal(store.manifest.sets[part.set].days, dates(table))
    kept = store.attributes(part.name)
    order = {pid: row for row, pid in enumerate(kept["pid"].to_pylist())}
    rows = np.array([order[pid] for pid in table["pid"].to_pylist()])
    for column in set(table.column_names) - {"displacement", "geometry", "pid"}:
        np.testing.assert_array_equal(kept[column].to_numpy()[rows], table[column].to_numpy())
    values = store.series(part.name, np.arange(part.points))[rows]
    np.testing.assert_allclose(values, series(table), atol=1e-4)  # tenths of a millimetre, nothing lost
    size = sum((store.root / part.file(kind)).stat().st_size for kind in ("attributes", "series", "overview"))
    if part.points > 1000:
        assert size / part.points < 330 * len(dates(table)) / 200


def test_the_explorer_serves_it(store):
    import httpx

    with served([store.root]) as address, httpx.Client(base_url=address) as client:
        layers = client.get("/api/catalog.json").json()["layers"]
        assert {(each["level"], each["points"]) for each in layers} == {("L2b", 5770), ("L3", 358)}
        around = "longitude=13.165&latitude=38.697&radius=300"
        point = client.get(f"/api/layers/{layers[0]['id']}/nearest?{around}").json()
        assert point["attributes"]["mean_velocity"] < -5  # the ground of the middle of the island sinks there
        assert point["fit"]["rmse"] == pytest.approx(point["attributes"]["rmse"], abs=0.06)  # the model is that of EGMS
