"""Real pairs with known ruptures: the errors and their sigmas stay what the documentation says."""

import shutil

import pytest

from groundshift.optical.pair import measure_pair
from groundshift.validate.bench import run_bench


@pytest.mark.parametrize(
    ("folder", "cases", "epe", "near", "far"),
    [("cross", ["003_milano", "007_cupertino"], 0.10, 0.33, 0.07), ("same", ["003_milano"], 0.03, 0.15, 0.012)],
)
def test_dense_on_the_benchmark(shared, tmp_path, folder, cases, epe, near, far):
    for case in cases:
        shutil.copytree(shared / "bench" / "optical" / folder / case, tmp_path / case)
    table = run_bench(
        tmp_path, lambda pre, post: measure_pair(pre, post, method="dense", registration="none", executor="serial")
    )
    scores = table.mean()
    assert scores.epe < epe
    assert scores.near < near
    assert scores.far < far
    assert scores.coverage > 0.95
    assert 0.4 < (scores.variance_x + scores.variance_y) / 2 < 2.5  # of a few cases
