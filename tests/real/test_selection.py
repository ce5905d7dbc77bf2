"""Pairs of real Sentinel-2 images: found, measured, split, and the validation sites never trained on."""

import itertools

import numpy as np
import pytest
import shapely

from groundshift.grid.tiles import Box
from groundshift.synth.real_pairs import read_pair, select_pairs
from groundshift.synth.selection import HELD_OUT, Selection, find_images, group_sites, split_sites

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
ANY = Selection(forbidden=(), least_correlation=-1, least_size=128)


@pytest.fixture(scope="module")
def training(shared):
    """Sites made for training."""
    return group_sites(find_images(shared / "data" / "s2_training_sites_10m"))


@pytest.fixture(scope="module")
def validation(shared):
    """Sites that are never trained on."""
    return group_sites(find_images(shared / "data" / "s2_validation_sites_10m"))


def test_the_sites_are_found(training):
    assert [site.name for site in training] == [
        "aguasclaras", "beirut", "bercy", "bordeaux", "dubai", "lasvegas", "nantes", "norcia", "rennes", "saclay_e",
        "saclay_w",
    ]  # fmt: skip
    for site in training:
        assert sorted(source.band for source in site.images) == ["B04", "B04", "B08", "B08"]


@pytest.mark.parametrize("seed", range(4))
def test_splits_share_no_ground(training, seed):
    splits = split_sites(training, (1, 1, 1), seed=seed)
    split_of = {site.name: name for name, each in splits.items() for site in each}
    assert len(split_of) == 11
    assert split_of["saclay_e"] == split_of["saclay_w"]  # they overlap by 90 m
    ground = [shapely.union_all([site.footprint for site in each]) for each in splits.values()]
    assert not any(a.intersects(b) for a, b in itertools.combinations(ground, 2))


def test_validation_sites_are_never_trained_on(training, validation):
    """Not selected at all; and where that is switched off, in no split but test, by extent alone or name alone."""
    assert [site.name for site in validation] == sorted(HELD_OUT)
    for site in validation:
        assert shapely.box(*HELD_OUT[site.name]).contains(site.footprint)
    names_only = Selection(forbidden=tuple(HELD_OUT), least_correlation=-1)
    extents_only = Selection(forbidden=tuple(HELD_OUT.values()), least_correlation=-1)
    for selection in (Selection(least_correlation=-1), names_only, extents_only):
        pairs, rejected = select_pairs(validation, selection)
        assert pairs == ()
        assert all("forbidden ground" in each.why for each in rejected)
    for seed in range(10):
        splits = split_sites([*training, *validation], (1, 1, 0), seed=seed)
        assert {site.name for site in splits["test"]} == set(HELD_OUT)


def test_real_pairs_are_measured(training):
    """The two bands of a site were taken at once: what their shifts differ by is error, and its size is foretold."""
    sites = [site for site in training if site.name in ("aguasclaras", "bercy", "nantes", "rennes", "norcia")]
    pairs, rejected = select_pairs(sites, ANY, splits=split_sites(training))
    assert not rejected
    assert len(pairs) == 10
    off = []
    for red, infrared in zip(pairs[::2], pairs[1::2], strict=True):
        assert (red.site, red.band, infrared.band) == (infrared.site, "B04", "B08")
        off.append(np.subtract(red.shift, infrared.shift) / np.hypot(red.shift_sigma, infrared.shift_sigma))
    assert 0.2 < np.sqrt(np.mean(np.square(off))) < 2
    correlations = {pair.name: pair.correlation for pair in pairs}
    assert 0.5 < np.median(list(correlations.values())) < 0.8
    assert correlations["rennes_B08_2015-08-21_2017-06-21"] == pytest.approx(0.89, abs=0.02)
    assert {pair.split for pair in pairs} <= {"train", "validation", "test"}
    default, few = select_pairs(sites, Selection())
    assert {pair.site for pair in default} == {"aguasclaras", "bercy", "nantes", "rennes"}
    assert {each.site for each in few} == {"norcia"}  # it changed most


def test_a_real_pair_is_read_aligned(training):
    (pair, *_), _ = select_pairs([site for site in training if site.name == "nantes"], Selection())
    pre, post, dx, dy = read_pair(pair, Box(100, 100, 356, 356))
    assert pre.shape == post.shape == (256, 256)
    assert np.isfinite(pre).mean() > 0.9
    assert max(abs(dx), abs(dy)) <= 0.5
