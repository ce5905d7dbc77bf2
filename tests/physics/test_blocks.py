"""A network solved in overlapping blocks is the network solved at once."""

import numpy as np
import pytest
from reference.radar_points import town

from groundshift.engine import MemoryStore, run
from groundshift.insar.network.arcs import NetworkConfig
from groundshift.insar.network.blocks import SolveBlock, block_plan, tie_blocks
from groundshift.insar.network.phases import StoredSeries


@pytest.fixture(scope="module")
def truth():
    return town(0, points=1800)


def stored(phasors, tiles=3):
    """Series that are dealt out to tiles in turn."""
    store, place = MemoryStore(), np.arange(phasors.shape[1], dtype=np.int32)
    for tile in range(tiles):
        store.write(tile, {"phases": phasors[:, tile::tiles]})
    return StoredSeries(store, "phases", len(phasors), place % tiles, place // tiles)


def solved(truth, most, positions=None, overlap=500.0):
    config, store = NetworkConfig(), MemoryStore()
    positions = truth.positions if positions is None else positions
    blocks = block_plan(positions, most=most, overlap=overlap)
    step = SolveBlock(positions, stored(truth.phasors), truth.geometry, config)
    run(step, blocks, store=store, executor="serial")
    return blocks, tie_blocks(blocks, store, truth.geometry, config)


def test_series_come_in_the_order_that_is_asked_for(truth):
    points = np.array([7, 3, 1700, 4, 3])
    found = stored(truth.phasors).at(points)
    np.testing.assert_array_equal(found, truth.phasors[:, points])
    assert found.dtype == np.complex64
    assert stored(truth.phasors).at(points[:0]).shape == (len(truth.phasors), 0)


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
    both = np.flatnonzero((whole.cluster == 0) & (parts.cluster == 0))
    assert len(both) > 0.98 * 1800
    apart = (parts.phases.phase(both) - whole.phases.phase(both)) / (2 * np.pi)
    cycles = np.rint(np.median(apart, axis=1, keepdims=True))
    assert np.abs(apart - np.rint(apart)).max() < 1e-4
    assert (np.rint(apart) == cycles).all(axis=0).mean() > 0.995
    velocity = parts.phases.model[0, both]
    assert np.std(velocity - whole.phases.model[0, both]) < 0.1
    assert np.std(velocity - truth.velocity[both]) < 0.6
    model = truth.geometry.rates.T @ parts.phases.model[:, both]
    assert parts.phases.residual(both) == pytest.approx(parts.phases.phase(both) - model, abs=1e-3)
    dropped = np.flatnonzero(parts.cluster < 0)
    assert np.isnan(parts.phases.phase(dropped)).all()


def test_blocks_without_shared_points_are_clusters(truth):
    far = truth.positions.copy()
    far[far[:, 0] > 2500, 0] += 50_000
    _, tied = solved(truth, 1000, far, 300.0)
    assert set(tied.cluster) >= {0, 1}
    for label in (0, 1):
        inside = tied.cluster == label
        assert np.ptp(far[inside, 0]) < 10_000
        assert tied.phases.model[0, inside].mean() == pytest.approx(0, abs=1e-9)
