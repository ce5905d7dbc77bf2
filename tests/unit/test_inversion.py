"""Inversion of interferogram networks with known answers."""

import numpy as np
import pytest

from groundshift.errors import InputError
from groundshift.insar.interferograms.closure import closure
from groundshift.insar.interferograms.inversion import invert_network

DAYS = np.cumsum([0, 12, 6, 12, 24, 12, 6, 6, 12, 36, 12, 12, 6, 12, 12]).astype(float)
DATES = len(DAYS)
PAIRS = np.array([(i, j) for i in range(DATES) for j in range(i + 1, min(DATES, i + 4))])
YEARS = np.diff(DAYS) / 365.25


def incidence(pairs):
    """Matrix from displacements of dates to those of pairs."""
    matrix = np.zeros((len(pairs), DATES))
    matrix[np.arange(len(pairs)), pairs[:, 0]] = -1
    matrix[np.arange(len(pairs)), pairs[:, 1]] = 1
    return matrix


def intervals(pairs):
    """Matrix from velocities between dates to displacements of pairs."""
    return np.array([[step if a <= k < b else 0 for k, step in enumerate(YEARS)] for a, b in pairs])


@pytest.fixture(scope="module")
def walk():
    path = np.cumsum(np.random.default_rng(0).normal(0, 5, (DATES, 200)), axis=0)
    return path - path[0]


def test_a_whole_network_gives_the_series_back(walk):
    result = invert_network(incidence(PAIRS) @ walk, PAIRS, DAYS)
    assert result.displacement == pytest.approx(walk, abs=1e-3)
    assert (result.subsets == 1).all()
    assert result.rms.max() < 1e-5
    slope = np.polyfit(DAYS / 365.25, walk, 1)[0]
    assert result.velocity == pytest.approx(slope, abs=1e-2)


def test_groups_without_a_link_follow_with_the_smallest_velocity(walk):
    apart = PAIRS[(PAIRS[:, 0] >= 7) | (PAIRS[:, 1] < 7)]
    values = incidence(apart) @ walk
    result = invert_network(values, apart, DAYS)
    velocity = np.linalg.pinv(intervals(apart)) @ values
    assert result.displacement[1:] == pytest.approx(np.cumsum(velocity * YEARS[:, None], axis=0), abs=1e-3)
    assert (result.subsets == 2).all()
    assert np.isfinite(result.sigma[:7]).all()
    assert np.isnan(result.sigma[7:]).all()


def test_weights_and_missing_interferograms_are_a_pixels_own(walk):
    random = np.random.default_rng(1)
    values = incidence(PAIRS) @ walk + random.normal(0, 2, (len(PAIRS), 200))
    values[random.random(values.shape) < 0.15] = np.nan
    weights = random.uniform(0.2, 3, values.shape)
    weights[:3, 7] = np.nan
    result = invert_network(values, PAIRS, DAYS, weights=weights)
    for i in range(20):
        use = np.isfinite(values[:, i]) & np.isfinite(weights[:, i])
        root = np.sqrt(weights[use, i])
        velocity = np.linalg.pinv(intervals(PAIRS[use]) * root[:, None]) @ (values[use, i] * root)
        assert result.displacement[1:, i] == pytest.approx(np.cumsum(velocity * YEARS), abs=1e-3)
        assert result.used[i] == use.sum()


def test_declared_sigmas_hold(walk):
    random = np.random.default_rng(2)
    path = np.tile(walk, 20)
    noise = random.uniform(0.5, 3, (len(PAIRS), 1))
    values = incidence(PAIRS) @ path + noise * random.normal(size=(len(PAIRS), path.shape[1]))
    result = invert_network(values, PAIRS, DAYS, weights=noise[:, 0] ** -2)
    standardised = (result.displacement - path)[1:] / result.sigma[1:]
    assert 0.8 < standardised.var() < 1.25
    scaled = invert_network(values, PAIRS, DAYS, weights=5 * noise[:, 0] ** -2)
    assert scaled.sigma == pytest.approx(result.sigma, rel=1e-3)


@pytest.mark.parametrize("kind", ["line", "season"])
def test_declared_sigmas_of_velocities_hold(walk, kind):
    """Errors of interferograms add from date to date; a line through the series sees little of that."""
    random = np.random.default_rng(3)
    path = np.tile(walk, 40)
    design = np.column_stack([np.ones(DATES), DAYS / 365.25])
    if kind == "season":
        angle = 2 * np.pi * DAYS / 365.25
        design = np.column_stack([design, np.cos(angle), np.sin(angle)])
    row = np.linalg.pinv(design)[1]
    noise = random.uniform(0.5, 3, (len(PAIRS), 1))
    values = incidence(PAIRS) @ path + noise * random.normal(size=(len(PAIRS), path.shape[1]))
    given = {} if kind == "line" else {"row": row}
    result = invert_network(values, PAIRS, DAYS, weights=noise[:, 0] ** -2, **given)
    standardised = (result.velocity - row @ path) / result.velocity_sigma
    assert 0.9 < standardised.var() < 1.2
    chain = PAIRS[np.diff(PAIRS, axis=1)[:, 0] == 1]  # nothing to spare: nothing tells the errors
    assert np.isnan(invert_network(incidence(chain) @ walk, chain, DAYS).velocity_sigma).all()


def test_a_pixel_without_data_is_empty(walk):
    values = incidence(PAIRS) @ walk[:, :2]
    values[:, 1] = np.nan
    result = invert_network(values, PAIRS, DAYS)
    assert np.isnan(result.displacement[:, 1]).all()
    assert np.isnan(result.rms[1])
    assert result.used.tolist() == [len(PAIRS), 0]
    assert result.subsets.tolist() == [1, DATES]


def test_closure_finds_whole_cycles_and_where_they_are(walk):
    random = np.random.default_rng(3)
    phases = incidence(PAIRS) @ walk + random.normal(0, 0.2, (len(PAIRS), 200))
    assert closure(phases, PAIRS, DATES).wrong.max() == 0
    broken = phases.copy()
    broken[10, :50] += 4 * np.pi
    broken[20, 120] = np.nan
    result = closure(broken, PAIRS, DATES)
    hit = (result.triplets == 10).any(axis=1)
    assert (np.abs(result.cycles[hit][:, :50]) == 2).all()
    assert not result.cycles[~hit].any()
    assert (result.wrong[:50] > 0).all()
    assert not result.wrong[50:].any()
    assert np.nanargmax(result.by_interferogram) == 10
    assert np.median(result.residual) == pytest.approx(0.2 * np.sqrt(3), rel=0.1)


def test_networks_without_triplets_have_no_closure():
    chain = np.column_stack([np.arange(4), np.arange(1, 5)])
    result = closure(np.zeros((4, 3)), chain, 5)
    assert len(result.triplets) == 0
    assert np.isnan(result.wrong).all()
    assert np.isnan(result.by_interferogram).all()


@pytest.mark.parametrize("pairs", [[[1, 0]], [[0, 99]], [[0, 1], [0, 1]], [0, 1]])
def test_pairs_that_make_no_sense_are_refused(pairs):
    with pytest.raises(InputError):
        invert_network(np.zeros((len(pairs), 1)), pairs, DAYS)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        invert_network(np.zeros((3, 1)), PAIRS, DAYS)
    with pytest.raises(InputError, match="weights"):
        invert_network(np.zeros((len(PAIRS), 4)), PAIRS, DAYS, weights=np.ones(3))
    with pytest.raises(InputError, match="factors"):
        invert_network(np.zeros((len(PAIRS), 4)), PAIRS, DAYS, row=np.ones(3))
