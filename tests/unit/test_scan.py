"""Scatterers apart from each other, the seasons of tall buildings, and the atmosphere in heights."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry
from scipy import ndimage

from groundshift.insar.motion.ground_level import GroundLevels
from groundshift.insar.motion.height_air import atmosphere_in_heights, drift_columns
from groundshift.insar.motion.kriging import NestedVariogram
from groundshift.insar.network.season import fit_season
from groundshift.insar.scan import spread
from groundshift.kernels.periodogram import maximise_coherence, search_grid


def test_scatterers_are_apart_and_none_is_lost():
    random = np.random.default_rng(0)
    ratio = np.where(random.random((120, 150)) < 0.4, random.normal(10, 5, (120, 150)), -np.inf)
    kept = spread(ratio, (1, 1))
    around = ndimage.convolve(kept.astype(int), np.ones((3, 3), int), mode="constant")
    assert around[kept].max() == 1
    assert (around[np.isfinite(ratio)] > 0).mean() > 0.995
    assert not kept[np.isinf(ratio)].any()
    once = spread(ratio, (1, 1), rounds=1)
    assert once.sum() < 0.85 * kept.sum()
    assert kept[once].all()


def test_a_part_with_a_halo_is_the_whole():
    ratio = np.random.default_rng(1).normal(size=(90, 90))
    part = spread(ratio[22:68, 12:78], (1, 1))[8:-8, 8:-8]
    assert np.array_equal(part, spread(ratio, (1, 1))[30:60, 20:70])


def test_the_heat_of_a_tall_building_is_no_velocity():
    random = np.random.default_rng(2)
    geometry = stack_geometry(random)
    grid = search_grid(geometry.rates, (30.0, 60.0))
    truth = np.array([[-4.0, 45.0], [3.0, -20.0], [0.0, 50.0]])
    season = np.outer([2.04, 1.8, 2.3], np.cos(2 * np.pi * (geometry.years - 0.55)))
    phase = truth @ geometry.rates + season + random.normal(0, 0.2, (3, len(geometry.days)))
    phasors = np.exp(1j * phase).astype(np.complex64)
    plain = maximise_coherence(phasors, geometry.rates, grid)
    assert plain.coherence.max() < 0.7
    assert np.abs(plain.parameters[:, 0] - truth[:, 0]).max() > 20  # a cycle a year away
    found = fit_season(phasors, plain.coherence, geometry, grid)
    assert found.better.all()
    assert found.coherence == pytest.approx(np.exp(-(0.2**2) / 2), abs=0.01)
    assert (np.abs(found.parameters - truth).max(axis=0) < [0.4, 3.0]).all()
    noise = np.exp(2j * np.pi * random.random((50, len(geometry.days)))).astype(np.complex64)
    assert (
        fit_season(noise, maximise_coherence(noise, geometry.rates, grid).coherence, geometry, grid).better.mean() < 0.1
    )


def test_atmosphere_and_height_errors_are_told_apart():
    """Fields of known covariances: the split errs as it declares, and as little as if all covariances were known.

    One scene has few long waves, so its declared variance must not depend on how large these happen to be.
    """
    random = np.random.default_rng(3)
    cells = random.uniform(0, 8000, (220, 2))
    apart = np.linalg.norm(cells[:, None] - cells[None], axis=-1)
    air = NestedVariogram(np.array([1.0]), np.array([2500.0]))
    roots = [
        np.linalg.cholesky(each + 1e-9 * np.eye(220))
        for each in (16 * np.exp(-apart / 2500), np.exp(-apart / 200) + np.exp(-apart / 1000) + np.exp(-apart / 5000))
    ]
    drift = drift_columns(cells, np.zeros(220), 5.0)
    assert drift.shape == (220, 3)
    centred = cells - cells.mean(axis=0)
    of_air = roots[0] @ roots[0].T + 2e-3**2 * centred @ centred.T
    size = np.diag(drift.T @ of_air @ drift)  # of a plane too
    trends = np.ones((220, 1))
    inverse = np.linalg.inv(of_air + roots[1] @ roots[1].T + 0.25 * np.eye(220))
    beside = inverse - inverse @ trends @ np.linalg.inv(trends.T @ inverse @ trends) @ trends.T @ inverse
    squares, best, declared, before = [], [], [], []
    for _ in range(20):
        smooth, rough = (root @ random.normal(size=220) for root in roots)
        smooth += centred @ random.normal(0, 2e-3, 2)
        errors = smooth + rough + random.normal(0, 0.5, 220)
        ground = GroundLevels(errors, np.full(220, 0.25))
        found = atmosphere_in_heights(cells, np.ones(220), ground, air, 16.0, drift, size, 50.0)
        squares.append(np.var(found.values - smooth))
        best.append(np.var(of_air @ beside @ errors - smooth))
        declared.append(found.variances.mean())
        before.append(np.var(rough))
    assert 0.7 < np.mean(squares) / np.mean(declared) < 1.4
    assert max(declared) < 4 * min(declared)
    assert np.mean(squares) < 1.1 * np.mean(best)
    assert np.mean(squares) < 0.85 * np.mean(before)  # than if all were taken for atmosphere
