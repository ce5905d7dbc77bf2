"""Unwrapping of a simulated town: right signs, right cycles."""

import numpy as np
import pytest
from reference.radar_points import town

from groundshift.errors import InputError
from groundshift.insar.network.acceptance import acceptance_threshold
from groundshift.insar.network.arcs import NetworkConfig, solve_network
from groundshift.insar.network.attach import Surroundings, attach_points
from groundshift.insar.network.unwrap import unwrap_network, wrap


@pytest.fixture(scope="module")
def unwrapped():
    """A town, its network and its unwrapped phases."""
    truth = town(0)
    network = solve_network(truth.positions, truth.phasors, truth.geometry)
    return truth, network, unwrap_network(truth.positions, truth.phasors, truth.geometry, network)


def around(positions, network, result):
    """The network as further points are held against it."""
    return Surroundings(positions, network.cluster, result.coherence, lambda points: result.residual[:, points])


def cycles(phase, truth):
    """Whole cycles by which phases are off, but for those that all points of a date and all dates of a point share."""
    turns = np.rint((phase - truth) / (2 * np.pi))
    turns -= np.median(turns, axis=1, keepdims=True)
    return turns - np.median(turns, axis=0)


def test_series_of_a_town_have_the_right_cycles(unwrapped):
    truth, network, result = unwrapped
    inside = network.cluster == 0
    assert inside.mean() > 0.99
    off = cycles(result.phase[:, inside], truth.phase[:, inside])
    assert (off == 0).all(axis=0).mean() >= 0.995
    assert result.residues.sum() > 0
    assert 0 < result.corrected.mean() < 0.01


def test_unwrapped_phases_are_the_wrapped_ones_but_for_cycles(unwrapped):
    truth, network, result = unwrapped
    inside = network.cluster == 0
    assert np.abs(wrap(result.phase - truth.phase)[:, inside]).max() < 1e-4
    model = truth.geometry.rates.T @ np.stack([network.velocity, network.height])
    assert (result.phase - result.residual)[:, inside] == pytest.approx(model[:, inside], abs=1e-4)
    assert np.isnan(result.phase[:, ~inside]).all()


def test_subsidence_comes_out_negative(unwrapped):
    """Ground that sinks moves from the satellite: its velocity is negative, and its phase turns forward."""
    truth, network, result = unwrapped
    years = truth.geometry.years
    sinking = (truth.velocity < -6) & (network.cluster == 0)
    still = (np.abs(truth.velocity) < 0.5) & (network.cluster == 0)
    assert sinking.sum() > 10
    assert network.velocity[sinking].mean() - network.velocity[still].mean() < -5
    slope = np.polyfit(years, result.phase[:, sinking].mean(axis=1) - result.phase[:, still].mean(axis=1), 1)[0]
    assert slope > 5 * 4 * np.pi / 55.465763


def test_noise_of_the_reference_image_does_no_harm():
    """A reference image much noisier than the others only shifts each series."""
    truth = town(4, points=400, side=2000, phase_noise=(0.2, 0.3), atmosphere=1.0)
    shift = np.random.default_rng(4).uniform(-np.pi, np.pi, 400)
    phasors = truth.phasors * np.exp(1j * shift).astype(np.complex64)
    network = solve_network(truth.positions, phasors, truth.geometry)
    result = unwrap_network(truth.positions, phasors, truth.geometry, network)
    inside = network.cluster == 0
    assert inside.mean() > 0.98
    assert (cycles(result.phase, truth.phase + shift)[:, inside] == 0).all(axis=0).mean() > 0.995


def test_clusters_are_unwrapped_apart():
    truth = town(5, points=500, side=2500, atmosphere=1.0)
    far = truth.positions + np.where(truth.positions[:, :1] > 1250, 50_000.0, 0.0)
    network = solve_network(far, truth.phasors, truth.geometry)
    result = unwrap_network(far, truth.phasors, truth.geometry, network)
    assert network.cluster.max() == 1
    for label in (0, 1):
        inside = network.cluster == label
        assert (cycles(result.phase[:, inside], truth.phase[:, inside]) == 0).all(axis=0).mean() > 0.99


def test_further_points_join_the_network(unwrapped):
    truth, _, _ = unwrapped
    g, first = truth.geometry, np.arange(2000) % 2 == 0
    network = solve_network(truth.positions[first], truth.phasors[:, first], g)
    result = unwrap_network(truth.positions[first], truth.phasors[:, first], g, network)
    joined = attach_points(
        truth.positions[~first], truth.phasors[:, ~first], g, around(truth.positions[first], network, result)
    )
    assert (joined.coherence > 0.5).mean() > 0.99
    phase = np.concatenate([result.phase, joined.phase], axis=1)
    known = np.concatenate([truth.phase[:, first], truth.phase[:, ~first]], axis=1)
    keep = np.isfinite(phase).all(axis=0)
    assert (cycles(phase[:, keep], known[:, keep]) == 0).all(axis=0).mean() > 0.995
    error = joined.velocity - truth.velocity[~first] - np.nanmedian(network.velocity - truth.velocity[first])
    assert np.median(np.abs(error)) < 0.5


def test_pixels_of_noise_do_not_join(unwrapped):
    truth, network, result = unwrapped
    random = np.random.default_rng(8)
    noise = np.exp(2j * np.pi * random.random((60, 3000))).astype(np.complex64)
    joined = attach_points(
        random.uniform(0, 5000, (3000, 2)), noise, truth.geometry, around(truth.positions, network, result)
    )
    assert joined.coherence.max() < acceptance_threshold(truth.geometry, samples=20_000).coherence


def test_further_points_join_the_nearest_cluster_only():
    """Two halves with phases of their own at every date: a point between them takes those of one."""
    truth = town(6, points=400, side=2000, atmosphere=0.5, phase_noise=(0.05, 0.1))
    right = truth.positions[:, 0] > 1000
    far = truth.positions + np.where(right[:, None], [3000.0, 0.0], 0.0)
    phasors = truth.phasors * np.exp(1j * right * np.random.default_rng(9).uniform(-3, 3, (60, 1))).astype(np.complex64)
    network = solve_network(far, phasors, truth.geometry, NetworkConfig(max_length=1500.0))
    assert network.cluster.max() == 1
    result = unwrap_network(far, phasors, truth.geometry, network)
    edge = np.flatnonzero(network.cluster == 1)[:20]
    joined = attach_points(far[edge], phasors[:, edge], truth.geometry, around(far, network, result))
    assert (network.cluster[joined.nearest] == 1).all()
    assert joined.coherence.min() > 0.9


def test_gaps_in_the_network_are_refused(unwrapped):
    truth, network, _ = unwrapped
    phasors = truth.phasors.copy()
    phasors[3, np.flatnonzero(network.cluster == 0)[0]] = 0
    with pytest.raises(InputError, match="gaps"):
        unwrap_network(truth.positions, phasors, truth.geometry, network)
