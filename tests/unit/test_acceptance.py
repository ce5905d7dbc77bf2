"""The threshold of temporal coherence, from simulated noise."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry

from groundshift.errors import ConfigurationError, RunError
from groundshift.insar.network.acceptance import acceptance_threshold, noise_coherence, tail_quantile
from groundshift.insar.network.arcs import SearchConfig

SEARCH = SearchConfig(max_velocity=15.0, max_height=30.0)


@pytest.fixture(scope="module")
def geometry():
    return stack_geometry(np.random.default_rng(0), dates=40)


@pytest.fixture(scope="module")
def noise(geometry):
    return noise_coherence(geometry, SEARCH, 200_000, np.random.default_rng(1))


def test_the_tail_is_extrapolated_right(noise):
    """Fits to a tenth of the samples foretell the share of all that is beyond a level ten times rarer."""
    for start in range(0, 200_000, 40_000):
        level = tail_quantile(noise[start : start + 20_000], 40, 2e-4)
        assert 20 <= (noise > level).sum() <= 80  # 40 expected


def test_noise_seldom_exceeds_the_threshold(geometry, noise):
    threshold = acceptance_threshold(geometry, SEARCH, probability=1e-4, samples=20_000, seed=5)
    assert 2 <= (noise > threshold.coherence).sum() <= 25  # at most 20 expected
    strict = acceptance_threshold(geometry, SEARCH, probability=1e-5, samples=20_000, seed=5)
    assert (noise > strict.coherence).sum() <= 5
    assert threshold.coherence < strict.coherence < 0.75


def test_the_seed_decides_all(geometry):
    first, again, other = (acceptance_threshold(geometry, SEARCH, samples=20_000, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert abs(first.coherence - other.coherence) < 6 * first.standard_error


def test_a_wider_search_needs_more_coherence(geometry):
    wide = SearchConfig(max_velocity=60.0, max_height=100.0)
    narrow, wider = (acceptance_threshold(geometry, search, samples=20_000).coherence for search in (SEARCH, wide))
    assert narrow < wider


def test_tails_that_do_not_extrapolate_are_told(geometry, monkeypatch):
    def changing(_, __, samples, random):
        return random.random(samples) * np.where(np.arange(samples) < samples // 4, 0.5, 0.9)

    monkeypatch.setattr("groundshift.insar.network.acceptance.noise_coherence", changing)
    with pytest.raises(RunError, match="give more samples"):
        acceptance_threshold(geometry, SEARCH, samples=20_000)


def test_too_few_samples_are_refused(geometry):
    with pytest.raises(ConfigurationError, match="too few"):
        acceptance_threshold(geometry, SEARCH, probability=1e-7, samples=100_000)
