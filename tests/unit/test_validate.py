"""Metrics, benchmark tables and pictures."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import InputError
from groundshift.figures.comparison import comparison_figure
from groundshift.figures.quicklook import quicklook
from groundshift.figures.style import nice, save_figure
from groundshift.io import write_image
from groundshift.model.displacement import displacement_map
from groundshift.model.reason import Reason
from groundshift.validate.bench import run_bench
from groundshift.validate.metrics import Scores, mean, score, sparsification

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
ATTRIBUTES = dict.fromkeys(
    ("date_pre", "date_post", "method", "source_pre", "source_post", "software", "configuration_hash"), "test"
)


def map_of(dx, dy, step=1, reason=None, size=10.0):
    shape = dx.shape
    grid = GeoBox(shape, Affine(size * step, 0, 0, 0, -size * step, 0), "EPSG:32633")
    reason = np.zeros(shape, np.uint8) if reason is None else reason
    layers = {"east": size * dx, "north": -size * dy}
    layers |= {name: np.full(shape, size * 0.1) for name in ("east_sigma", "north_sigma")}
    layers["quality"] = np.ones(shape)
    layers = {k: np.where(reason == 0, v, np.nan).astype(np.float32) for k, v in layers.items()}
    return displacement_map({**layers, "reason": reason}, grid, ATTRIBUTES)


def test_scores_by_hand():
    truth, distance = np.zeros((2, 200, 200)), np.full((200, 200), 100.0)
    distance[:, :90] = 10  # the left 42 of the inner 104 columns are near the trace
    measured = np.full((2, 200, 200), 0.5)  # the median, which is the misregistration
    measured[0, :, :90] = 0.8
    measured[0, 100, 100] = np.nan
    found = score(measured, truth, distance, np.full((2, 200, 200), 0.3))
    assert found.near == pytest.approx(0.3)
    assert found.far == pytest.approx(0)
    inner = 104**2 - 1
    assert found.epe == pytest.approx(0.3 * 42 * 104 / inner)
    assert found.coverage == pytest.approx(inner / 104**2)
    assert found.epe_raw == pytest.approx((np.hypot(0.8, 0.5) * 42 * 104 + np.hypot(0.5, 0.5) * (62 * 104 - 1)) / inner)
    assert found.variance_x == pytest.approx(42 * 104 / inner)
    assert found.variance_y == pytest.approx(0, abs=1e-12)


def test_nothing_measured():
    nothing = np.full((2, 120, 120), np.nan)
    found = score(nothing, nothing, np.zeros((120, 120)), nothing)
    assert found.coverage == 0
    assert np.isnan(found.epe)


def test_a_mean_is_over_the_cases_that_have_a_value():
    first, second = Scores(*[1.0] * 9), Scores(3.0, 3.0, np.nan, np.nan, *[3.0] * 5)
    found = mean([first, second])
    assert (found.epe, found.near, found.variance_y) == (2, 1, 2)
    assert np.isnan(mean([second]).near)
    with pytest.raises(ValueError, match="no scores; expected those of one case"):
        mean([])


def test_sparsification_falls_for_a_good_quality():
    error = np.random.default_rng(0).exponential(size=1000)
    curve = sparsification(error, -error, np.array([0, 0.5, 0.9]))
    assert curve[0] == pytest.approx(error.mean())
    assert curve[0] > curve[1] > curve[2]


@pytest.mark.parametrize("step", [1, 8])
def test_bench_reads_cases_and_interpolates(tmp_path, step):
    size = 160
    grid = GeoBox((size, size), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633")
    x = np.arange(size)[None, :].repeat(size, 0) / 100
    folder = tmp_path / "cases" / "000"
    for name in ("pre.tif", "post.tif"):
        write_image(folder / name, np.ones((size, size), np.float32), grid)
    np.savez(folder / "truth.npz", flow=np.stack([x, -x]), dist=np.full((size, size), 50.0))
    centre = ((np.arange(size // step) * step + (step - 1) / 2) / 100)[None, :].repeat(size // step, 0)
    table = run_bench(tmp_path / "cases", lambda pre, post: map_of(centre, -centre, step))
    assert table.mean().epe == pytest.approx(0, abs=1e-5)
    assert table.mean().coverage == 1
    assert "000" in table.text()


def test_cases_that_are_measured_are_told_before_a_later_one_fails(tmp_path, caplog):
    size = 160
    grid = GeoBox((size, size), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633")
    for case in ("000", "001"):
        for name in ("pre.tif", "post.tif"):
            write_image(tmp_path / case / name, np.ones((size, size), np.float32), grid)
        np.savez(tmp_path / case / "truth.npz", flow=np.zeros((2, size, size)), dist=np.full((size, size), 50.0))

    def measure(pre, post):
        if pre.parent.name == "001":
            raise InputError("cut")
        return map_of(np.full((size, size), 0.25), np.zeros((size, size)))

    with caplog.at_level("INFO"), pytest.raises(InputError, match="cut"):
        run_bench(tmp_path, measure)
    assert [message.split(":")[0] for message in caplog.messages] == ["case 1 of 2, 000"]


@pytest.mark.parametrize("harm", ["cut", "text", "renamed", "shape", "pickled"])
def test_truth_of_a_case_that_cannot_be_used_is_named(tmp_path, harm):
    path = tmp_path / "000" / "truth.npz"
    for name in ("pre.tif", "post.tif"):
        path.parent.mkdir(exist_ok=True)
        (path.parent / name).touch()
    flow, dist = np.zeros((2, 40, 50)), np.zeros((40, 50))
    arrays = {
        "renamed": {"flow": flow, "distance": dist},
        "shape": {"flow": flow, "dist": dist.T},
        "pickled": {"flow": np.array([None]), "dist": dist},
    }
    np.savez_compressed(path, **arrays.get(harm, {"flow": flow, "dist": dist}))
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif harm == "text":
        path.write_text("truth")
    with pytest.raises(InputError, match=r"000/truth\.npz"):
        run_bench(tmp_path, lambda pre, post: None)


def test_bench_of_nothing(tmp_path):
    with pytest.raises(InputError, match="holds no case"):
        run_bench(tmp_path, lambda pre, post: None)


@pytest.mark.parametrize("shape", [(60, 90), (5, 4)])
def test_quicklook(tmp_path, shape):
    random = np.random.default_rng(0)
    reason = (random.uniform(size=shape) < 0.2).astype(np.uint8) * Reason.NO_MATCH
    dataset = map_of(random.normal(size=shape), random.normal(size=shape), reason=reason.astype(np.uint8))
    figure = quicklook(dataset)
    labels = " ".join(axes.get_ylabel() for axes in figure.axes)
    assert labels.count("(m)") >= 4
    save_figure(figure, tmp_path / "a.png")
    save_figure(quicklook(dataset), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_quicklook_of_nothing(tmp_path):
    empty = np.full((20, 20), Reason.NO_DATA, np.uint8)
    save_figure(quicklook(map_of(np.zeros((20, 20)), np.zeros((20, 20)), reason=empty)), tmp_path / "a.png")


def test_comparison_figure():
    truth = np.random.default_rng(0).normal(size=(2, 40, 40))
    figure = comparison_figure(truth, truth + 0.1, np.full((2, 40, 40), 0.1), resolution=10, title="test")
    assert len(figure.axes) >= 8
    measured = truth.copy()
    measured[:, 10:-10, 10:-10] += 0.05
    figure = comparison_figure(truth, measured, np.full((2, 40, 40), 0.1), resolution=10, title="test", margin=10)
    assert {axes.get_title() for axes in figure.axes} >= {"east: variance 0.25", "north: variance 0.25"}


def test_nice():
    assert [nice(v) for v in (0.9, 1.0, 1.1, 2.3, 0.03, 7)] == pytest.approx([1, 1, 2, 2.5, 0.05, 10])
