"""A network solved in overlapping blocks is the network solved at once."""

import numpy as np
import pytest
from reference.radar_points import town

from groundshift.insar.network.arcs import NetworkConfig
from groundshift.insar.network.blocks import SolveBlock, block_plan, tie_blocks


@pytest.fixture(scope="module")
def truth():
    return town(0, points=1800)


def solved(truth, most):
    config = NetworkConfig()
    blocks = block_plan(truth.positions, most=most, overlap=500.0)
    step = SolveBlock(truth.positions, truth.phasors, truth.geometry, config)
    return blocks, tie_blocks(blocks, [step(block) for block in blocks], truth.geometry, config)


def test_each_point_is_the_own_of_one_block(truth):
    blocks = block_plan(truth.positions, most=300, overlap=300.0)
    assert np.array_equal(np.sort(np.concatenate([block.own for block in blocks])), np.arange(1800))
    assert max(len(block.own) for block in blocks) <= 300
    assert all(np.isin(block.own, block.points).all() for block in blocks)
    assert min(len(block.points) - len(block.own) for block in blocks) > 50


def test_blocks_have_the_cycles_of_the_whole(truth):
    _, whole = solved(truth, 5000)
    blocks, parts = solved(truth, 600)
    assert len(blocks) == 4
    assert (whole.disagreeing, whole.open_loops) == (0, 0)
    assert parts.disagreeing < 0.02
    assert parts.open_loops == 0
    both = (whole.network.cluster == 0) & (parts.network.cluster == 0)
    assert both.mean() > 0.98
    apart = (parts.unwrapped.phase - whole.unwrapped.phase)[:, both] / (2 * np.pi)
    cycles = np.rint(np.median(apart, axis=1, keepdims=True))
    assert np.abs(apart - np.rint(apart)).max() < 1e-4
    assert (np.rint(apart) == cycles).all(axis=0).mean() > 0.995
    assert np.std((parts.network.velocity - whole.network.velocity)[both]) < 0.1
    assert np.std((parts.network.velocity - truth.velocity)[both]) < 0.6
    model = truth.geometry.rates.T @ np.stack([parts.network.velocity, parts.network.height])
    assert parts.unwrapped.residual[:, both] == pytest.approx((parts.unwrapped.phase - model)[:, both], abs=1e-3)


def test_blocks_without_shared_points_are_clusters(truth):
    far = truth.positions.copy()
    far[far[:, 0] > 2500, 0] += 50_000
    config = NetworkConfig()
    blocks = block_plan(far, most=1000, overlap=300.0)
    step = SolveBlock(far, truth.phasors, truth.geometry, config)
    tied = tie_blocks(blocks, [step(block) for block in blocks], truth.geometry, config)
    assert set(tied.network.cluster) >= {0, 1}
    for label in (0, 1):
        inside = tied.network.cluster == label
        assert np.ptp(far[inside, 0]) < 10_000
        assert tied.network.velocity[inside].mean() == pytest.approx(0, abs=1e-9)
