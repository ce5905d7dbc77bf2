"""Arcs: the periodogram, and the network that is integrated from them."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry, town

from groundshift.errors import InputError
from groundshift.insar.network.arcs import (
    SearchConfig,
    estimate_arcs,
    phase_sigma,
    solve_network,
)
from groundshift.insar.network.graph import arc_numbers, join_points, triangulate
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.periodogram import maximise_coherence, search_grid

LIMITS = (30.0, 60.0)


@pytest.fixture(scope="module")
def geometry():
    return stack_geometry(np.random.default_rng(0))


@pytest.fixture(scope="module")
def calm():
    return town(3, points=600, atmosphere=0.0, phase_noise=(0.3, 0.6), side=2500)


def test_periodogram_finds_what_was_put_in(geometry):
    random = np.random.default_rng(1)
    truth = random.uniform(-0.95, 0.95, (500, 2)) * LIMITS
    constant = random.uniform(-3, 3, (500, 1))
    phasors = np.exp(1j * (truth @ geometry.rates + constant))
    found = maximise_coherence(phasors, geometry.rates, search_grid(geometry.rates, LIMITS))
    assert np.abs(found.parameters - truth).max() < 1e-4
    assert found.coherence.min() > 1 - 1e-6
    assert np.abs(np.exp(1j * found.phase[:, None]) - np.exp(1j * constant)).max() < 1e-3


def test_periodogram_is_as_good_as_a_fine_search(geometry):
    """No node of a much finer grid has a larger coherence, even in noise."""
    random = np.random.default_rng(2)
    phasors = np.exp(1j * random.uniform(-np.pi, np.pi, (40, 60)))
    found = maximise_coherence(phasors, geometry.rates, search_grid(geometry.rates, LIMITS, oversampling=4))
    fine = search_grid(geometry.rates, LIMITS, oversampling=12)
    best = np.abs(phasors @ np.exp(-1j * fine @ geometry.rates).T / 60).max(axis=1)
    assert (found.coherence >= best - 1e-6).mean() > 0.9
    recomputed = np.abs((phasors * np.exp(-1j * found.parameters @ geometry.rates)).mean(axis=1))
    assert found.coherence == pytest.approx(recomputed, abs=1e-5)


def test_periodogram_reaches_the_bound_in_noise(geometry):
    random = np.random.default_rng(3)
    truth = random.uniform(-0.5, 0.5, (4000, 2)) * LIMITS
    phasors = np.exp(1j * (truth @ geometry.rates + random.normal(0, 0.5, (4000, 60))))
    found = maximise_coherence(phasors, geometry.rates, search_grid(geometry.rates, LIMITS))
    error = (found.parameters - truth) / (0.5 * geometry.formal)
    assert (error.std(axis=0) > 0.95).all()
    assert (error.std(axis=0) < 1.1).all()
    assert np.median(phase_sigma(found.coherence, 60)) == pytest.approx(0.5, rel=0.05)


def test_dates_without_data_are_left_out(geometry):
    random = np.random.default_rng(4)
    truth = np.array([[12.0, -20.0]])
    phasors = np.exp(1j * truth @ geometry.rates).repeat(2, axis=0)
    phasors[0, random.choice(60, 15, replace=False)] = np.nan
    phasors[1] = 0
    found = maximise_coherence(phasors, geometry.rates, search_grid(geometry.rates, LIMITS))
    assert found.parameters[0] == pytest.approx(truth[0], abs=1e-3)
    assert found.coherence[0] == pytest.approx(1, abs=1e-5)
    assert np.isnan(found.coherence[1])


def test_without_baselines_the_height_is_zero():
    geometry = StackGeometry(np.arange(30) * 12.0, np.zeros(30), 5e5)
    phasors = np.exp(1j * 7 * geometry.rates[:1])
    found = maximise_coherence(phasors, geometry.rates, search_grid(geometry.rates, LIMITS))
    assert found.parameters[0] == pytest.approx([7, 0], abs=1e-3)


def test_arcs_join_all_points_once():
    random = np.random.default_rng(5)
    positions = random.uniform(0, 1000, (300, 2))
    ends = join_points(positions, neighbours=5, max_length=300)
    assert (ends[:, 0] < ends[:, 1]).all()
    assert len(np.unique(ends, axis=0)) == len(ends)
    assert np.hypot(*(positions[ends[:, 0]] - positions[ends[:, 1]]).T).max() <= 300
    assert np.bincount(ends.ravel(), minlength=300).min() >= 5
    assert np.array_equal(arc_numbers(ends, ends[::-1, ::-1]), np.arange(len(ends))[::-1])
    assert arc_numbers(ends, np.array([[0, 0]])).tolist() == [-1]


def test_points_on_a_line_are_joined_too():
    positions = np.column_stack([np.arange(20) * 10.0, np.zeros(20)])
    assert len(triangulate(positions)) == 0
    assert np.bincount(join_points(positions, neighbours=2).ravel()).min() >= 2


def test_the_network_gives_points_and_honest_sigmas(calm):
    network = solve_network(calm.positions, calm.phasors, calm.geometry)
    inside = network.cluster == 0
    assert inside.mean() > 0.97
    design = np.column_stack([calm.geometry.years, calm.geometry.height_to_mm, np.ones(60)])
    truth = np.linalg.pinv(design) @ (calm.motion + np.outer(calm.geometry.height_to_mm, calm.height))
    for found, sigma, true in (
        (network.velocity, network.velocity_sigma, truth[0]),
        (network.height, network.height_sigma, truth[1]),
    ):
        error = (found - true)[inside] - (found - true)[inside].mean()
        assert 0.8 < np.var(error / sigma[inside]) < 1.25
    assert network.open_triangles < 0.01


def test_arcs_with_a_wrong_maximum_are_rejected(calm, monkeypatch):
    """A tenth of the arcs is moved to another peak of the periodogram; the network finds them by their misfit."""
    clean = solve_network(calm.positions, calm.phasors, calm.geometry)
    random = np.random.default_rng(7)
    wrong = random.random(len(clean.arcs.ends)) < 0.1
    moved = clean.arcs.estimates + wrong[:, None] * random.choice([-1, 1], (len(wrong), 2)) * [8.0, 30.0]
    monkeypatch.setattr("groundshift.insar.network.arcs.estimate_arcs", lambda *_: clean.arcs._replace(estimates=moved))
    network = solve_network(calm.positions, calm.phasors, calm.geometry)
    assert not (network.accepted & wrong).any()
    assert network.accepted[clean.accepted & ~wrong].mean() > 0.99
    both = (network.cluster == 0) & (clean.cluster == 0)
    assert both.mean() > 0.95
    assert np.std((network.velocity - clean.velocity)[both]) < 0.05
    assert network.open_triangles > 0.2


def test_parts_that_are_far_apart_become_clusters(calm):
    far = calm.positions + np.where(calm.positions[:, :1] > 1250, 50_000.0, 0.0)
    network = solve_network(far, calm.phasors, calm.geometry)
    assert network.cluster.max() == 1
    left = calm.positions[:, 0] < 1250
    kept = network.cluster >= 0
    assert len(np.unique(network.cluster[kept & left])) == 1
    assert len(np.unique(network.cluster[kept & ~left])) == 1
    for label in (0, 1):
        assert abs(network.velocity[network.cluster == label].mean()) < 1e-9
    assert (network.cluster == 0).sum() >= (network.cluster == 1).sum()


def test_a_point_of_noise_is_dropped(calm):
    phasors = calm.phasors.copy()
    phasors[:, 17] = np.exp(1j * np.random.default_rng(6).uniform(-3.14, 3.14, 60))
    network = solve_network(calm.positions, phasors, calm.geometry)
    assert network.cluster[17] == -1
    assert np.isnan(network.velocity[17])


def test_the_result_does_not_depend_on_chunks(calm, monkeypatch):
    ends = join_points(calm.positions)
    whole = estimate_arcs(calm.phasors, ends, calm.geometry, SearchConfig())
    monkeypatch.setattr("groundshift.insar.network.arcs._CHUNK", 6000)
    parts = estimate_arcs(calm.phasors, ends, calm.geometry, SearchConfig())
    assert parts.estimates == pytest.approx(whole.estimates, abs=1e-9)


def test_wrong_input_is_refused(geometry):
    with pytest.raises(InputError, match="five or more, ascending"):
        StackGeometry(np.zeros(6), np.zeros(6), 5e5)
    with pytest.raises(InputError, match="differ"):
        StackGeometry(np.arange(6), np.zeros(5), 5e5)
    with pytest.raises(InputError, match="give \\(time, n\\)"):
        solve_network(np.zeros((4, 2)), np.ones((4, 60), complex), geometry)
    with pytest.raises(InputError, match="same position"):
        solve_network(np.zeros((4, 2)), np.ones((60, 4), complex), geometry)
