"""Real points of the European Ground Motion Service: tracks against each other, noise, and no alarms out of nothing."""

import json

import numpy as np
import pyarrow as pa
import pytest
import shapely

from groundshift.io.egms import read_egms
from groundshift.io.features import Features
from groundshift.model.points import header
from groundshift.products.assets import assess_assets
from groundshift.validate.run import PAGE_NAME, REPORT_NAME, ValidationConfig, validate


@pytest.fixture(scope="module")
def files(shared):
    return tuple(sorted((shared / "data" / "egms_ustica").glob("EGMS_L2b*.zip")))


def test_the_service_keeps_its_promises_on_ustica(files, tmp_path):
    checks = {check.key: check for check in validate(ValidationConfig(points=files, title="Ustica"), tmp_path)}
    assert len(checks) == 3
    tracks = next(each for each in checks["tracks"].numbers if each.name.startswith("error"))
    assert 0.3 < tracks.value < 0.7
    assert tracks.bound  # one looks from the east, one from the west
    noise = [check for key, check in checks.items() if key.startswith("noise")]
    assert [check.verdict for check in noise] == ["pass", "pass"]
    for check in noise:
        assert 3 < check.number("error of a displacement").value < 4
        assert check.number("error of a velocity").value < 0.2
    report = json.loads((tmp_path / REPORT_NAME).read_text())
    assert any("--stations" in each for each in report["not_made"])
    assert "data:image/png;base64," in (tmp_path / PAGE_NAME).read_text()


@pytest.mark.parametrize("size", [50, 100])
def test_squares_of_a_real_island_raise_few_alarms(files, size):
    """Squares stand for buildings. Most of the island is at rest, as noisy as real series are; one cliff slides."""
    seen, raised, worst = 0, 0, []
    for file in files:
        table = read_egms(file)
        east, north = (table[name].to_numpy() for name in ("easting", "northing"))
        corners = np.unique(np.floor(np.column_stack([east, north]) / size).astype(int), axis=0) * float(size)
        squares = shapely.box(*corners.T, *(corners + size).T)
        features = Features(squares, pa.table({"kind": ["building"] * len(squares)}), header(table).crs)
        found = assess_assets(table, features)
        seen += found.report["assets_seen"]
        raised += sum(found.report["levels"][name] for name in ("notice", "watch", "alert"))
        rows = found.table.attributes.to_pylist()
        worst += [row["velocity"] for row in rows if row["level"] in ("notice", "watch", "alert")]
        assert found.units.noise.share > 0.1  # errors of real series last
    assert seen > 600
    assert raised <= 0.02 * seen
    assert min(worst) < -4
