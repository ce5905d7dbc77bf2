"""Samples: their flow is the truth, what is valid, and that nothing but the arguments decides on them."""

from dataclasses import astuple

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import ValidationError

from groundshift.io import write_image
from groundshift.io.samples import to_bytes
from groundshift.kernels.phase_correlation import phase_correlation
from groundshift.synth.options import MARGIN, PairOptions
from groundshift.synth.pairs import ProceduralScenes, RealPairs, View, make_sample
from groundshift.synth.real_pairs import ImagePair
from groundshift.synth.scenes import procedural_scene
from groundshift.synth.sensor import Geometry

SCENES = ProceduralScenes(7)
EASY = {"strengths": {"easy": 1}, "size": 128}


def seed(k):
    return np.random.SeedSequence(3, spawn_key=(k,))


def window_errors(sample, window=32):
    """Measured less true displacement (2, n) in windows that lie on valid ground away from traces."""
    places = np.arange(24, sample.pre.shape[0] - 24, 8) + 0.5
    match = phase_correlation(
        sample.pre.astype(np.float32), sample.post.astype(np.float32), places, places, window=window
    )
    at = np.ix_(places.astype(int), places.astype(int))
    good = np.isfinite(match.dx) & (match.coherence > 0.5) & sample.valid[at] & (sample.distance[at] > window / 2)
    return np.stack([match.dx, match.dy])[:, good] - sample.flow[(slice(None), *at)][:, good]


@pytest.mark.parametrize(
    ("kind", "scale", "k"), [("none", "small", 0), ("bowl", "large", 1), ("earthquake", "very_large", 3)]
)
def test_the_flow_is_what_is_measured(kind, scale, k):
    sample = make_sample(PairOptions(kinds={kind: 1}, scales={scale: 1}, **EASY), SCENES, seed(k))
    errors = window_errors(sample)
    assert errors.shape[1] > 40
    assert np.all(np.abs(np.median(errors, axis=1)) < 0.03)
    assert sample.record["kind"] == kind
    assert sample.record["scale"] == scale


def test_without_motion_the_flow_is_the_geometry():
    sample = make_sample(PairOptions(kinds={"none": 1}, **EASY), SCENES, seed(5))
    geometry = Geometry(**sample.record["sensor"]["geometry"])
    expected = np.stack(geometry(*np.indices(sample.pre.shape, dtype=float)))
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(sample.flow, expected, atol=7e-5)


def test_a_sample_depends_on_its_arguments_alone():
    options = PairOptions(size=96)
    random = seed(8)
    first = to_bytes(make_sample(options, SCENES, random))
    make_sample(options, ProceduralScenes(8), seed(9))
    assert to_bytes(make_sample(options, SCENES, random)) == first
    assert to_bytes(make_sample(options, SCENES, seed(9))) != first


@pytest.mark.parametrize("scale", ["very_small", "small", "large", "very_large"])
def test_the_motion_has_the_size_of_its_class(scale):
    sample = make_sample(PairOptions(scales={scale: 1}, kinds={"landslide": 1}, **EASY), SCENES, seed(11))
    geometry = Geometry(**sample.record["sensor"]["geometry"])
    moved = np.hypot(*(sample.flow - np.stack(geometry(*np.indices(sample.pre.shape, dtype=float))))).max()
    assert moved == pytest.approx(sample.record["motion"]["peak"], abs=1e-4)
    assert sample.distance.min() < 1


def test_ground_that_leaves_or_is_covered_is_not_valid():
    """A view without data in a block, and motion of several pixels: both are seen in `valid`."""
    inner = SCENES(np.random.default_rng(0), PairOptions(size=128))
    before = inner.before.copy()
    before[MARGIN + 40 : MARGIN + 60, MARGIN + 30 : MARGIN + 70] = np.nan
    view = inner._replace(before=before)
    options = PairOptions(kinds={"bowl": 1}, scales={"very_large": 1}, **EASY)
    sample = make_sample(options, lambda random, options: view, seed(13))
    assert not sample.valid[40:60, 30:70].any()
    rows, cols = np.indices(sample.pre.shape)
    to = np.stack([cols, rows]) + sample.flow
    outside = (to < 0).any(axis=0) | (to > 127).any(axis=0)
    assert outside.any()
    assert not (sample.valid & outside).any()
    assert sample.valid.mean() > 0.7
    assert (sample.pre[40:60, 30:70] == 0).all()


def test_clouds_are_not_valid():
    options = PairOptions(kinds={"none": 1}, strengths={"hard": 1}, size=128)
    samples = [make_sample(options, SCENES, seed(k)) for k in range(20, 40)]
    cloudy = [each.record["changes"]["cloud"] > 0.1 for each in samples]
    assert 0 < sum(cloudy) < len(samples)
    for sample, cloud in zip(samples, cloudy, strict=True):
        if cloud:
            assert sample.valid.mean() < 1 - sample.record["changes"]["cloud"]


def test_a_coarser_sensor_sees_a_finer_scene():
    options = PairOptions(ratio=2, pixel=10, kinds={"bowl": 1}, scales={"large": 1}, **EASY)
    sample = make_sample(options, ProceduralScenes(4), seed(51))
    assert sample.pre.shape == (128, 128)
    assert sample.record["scene"]["pixel"] == 5
    assert 0 < sample.record["sensor"]["mtf"] < 1
    assert np.all(np.abs(np.median(window_errors(sample), axis=1)) < 0.03)


def real_pair(folder, *, dx, dy, size=240):
    """Two files of one scene, the second off by (dx, dy) whole pixels and a little noise, as a measured pair."""
    random = np.random.default_rng(2)
    scene = procedural_scene((size + 8, size + 8), random).reflectance
    grid = GeoBox((size, size), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
    later = scene * (1 + 0.02 * random.standard_normal(scene.shape, dtype=np.float32))
    for name, image, (x, y) in (("a.tif", scene, (0, 0)), ("b.tif", later, (dx, dy))):
        write_image(folder / name, image[4 - y : 4 - y + size, 4 - x : 4 - x + size], grid)
    return ImagePair(
        site="here", band="", pre=str(folder / "a.tif"), post=str(folder / "b.tif"), pre_date=None, post_date=None,
        crs="EPSG:32633", shape=(size, size), transform=tuple(grid.affine)[:6], resampled=False,
        shift=(dx, dy), shift_sigma=(0.01, 0.01), scatter=(0.0, 0.0), correlation=0.9, missing=0.0,
    )  # fmt: skip


def test_a_real_pair_keeps_its_own_look_and_misregistration(tmp_path):
    pair = real_pair(tmp_path, dx=2, dy=-1)
    off = pair.model_copy(update={"shift": (2.4, -1.3)})
    options = PairOptions(kinds={"none": 1}, **EASY)
    right, wrong = (make_sample(options, RealPairs((each,)), seed(60)) for each in (pair, off))
    assert right.record["other_date"]
    assert right.record["scene"]["pair"]["site"] == "here"
    assert np.all(np.abs(np.median(window_errors(right), axis=1)) < 0.03)
    # the same pixels, said to be off by 0.4 and -0.3 more: the images are alike, and so the flow is wrong by that
    assert np.corrcoef(right.post[8:-8, 8:-8].ravel(), wrong.post[8:-8, 8:-8].ravel())[0, 1] > 0.9999
    np.testing.assert_allclose((wrong.flow - right.flow).mean(axis=(1, 2)), (0.4, -0.3), atol=1e-3)


def test_the_second_image_of_a_real_pair_can_keep_its_own_geometry_alone(tmp_path):
    pair = real_pair(tmp_path, dx=2, dy=-1)
    source = RealPairs((pair.model_copy(update={"shift": (2.25, -1.25)}),))
    easy = PairOptions(kinds={"none": 1}, **EASY)
    own, added = (
        make_sample(easy.model_copy(update={"added_geometry": share}), source, seed(60)) for share in (0.0, 1.0)
    )
    assert [set(each.ravel().tolist()) for each in own.flow] == [{0.25}, {-0.25}]
    assert np.ptp(added.flow[0]) > 0.005
    changed = make_sample(PairOptions(other_date=0, added_geometry=0, kinds={"none": 1}, **EASY), source, seed(60))
    assert not changed.flow.any()
    assert not np.array_equal(changed.pre, changed.post)


def test_a_real_image_can_be_changed_instead(tmp_path):
    source = RealPairs((real_pair(tmp_path, dx=1, dy=0),))
    sample = make_sample(PairOptions(other_date=0, kinds={"bowl": 1}, scales={"large": 1}, **EASY), source, seed(61))
    assert not sample.record["other_date"]
    assert sample.record["misregistration"] == [0, 0]
    assert np.all(np.abs(np.median(window_errors(sample), axis=1)) < 0.03)


def test_bad_options_say_what_is_wrong():
    for wrong, said in (({"kinds": {"none": 0}}, "all weights are 0"), ({"ratio": 1.3, "size": 100}, "not whole")):
        with pytest.raises(ValidationError, match=said):
            PairOptions(**wrong)


def test_views_are_as_large_as_said():
    options = PairOptions(size=64, ratio=1.5)
    view = ProceduralScenes(1)(np.random.default_rng(0), options)
    assert isinstance(view, View)
    assert {each.shape for each in (view.before, view.field, view.relief)} == {(168, 168)}
    assert astuple(ProceduralScenes(1)) == (1, ())
