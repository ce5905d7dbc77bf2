"""Cleaning steps and registration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundshift.model.reason import Reason
from groundshift.optical.clean import (
    clean_flow,
    clean_reach,
    estimate_stripes,
    find_outliers,
    smooth,
    smoothed_alike,
)
from groundshift.optical.config import CleanConfig
from groundshift.optical.methods import PixelFlow
from groundshift.optical.registration import fit_registration

SIDE = 80


def flow_of(dx, dy=None, sigma=0.05, quality=0.9):
    dx = np.asarray(dx, np.float32)
    dy = np.zeros_like(dx) if dy is None else np.asarray(dy, np.float32)
    full = np.full_like(dx, sigma)
    return PixelFlow(dx, dy, full, full, np.full_like(dx, quality), np.zeros(dx.shape, np.uint8))


def fault(rng, slip=2.0, noise=0.05):
    step = np.where(np.arange(SIDE)[None, :] + 0.3 * np.arange(SIDE)[:, None] < 55, -slip / 2, slip / 2)
    return step + rng.normal(0, noise, (SIDE, SIDE))


@settings(max_examples=20, deadline=None)
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_a_constant_field_stays_as_it_is(dx, dy):
    flow = flow_of(np.full((20, 20), dx), np.full((20, 20), dy))
    cleaned = clean_flow(flow, CleanConfig(min_quality=0.5, outliers=True, smooth=1.5))
    assert (cleaned.reason == Reason.VALID).all()
    np.testing.assert_allclose(cleaned.dx, flow.dx, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(cleaned.dx_sigma, flow.dx_sigma, rtol=1e-5)


def test_low_quality_is_removed_and_empty():
    flow = flow_of(np.ones((10, 10)))
    flow.quality[3, 4] = 0.2
    cleaned = clean_flow(flow, CleanConfig(min_quality=0.5))
    assert cleaned.reason[3, 4] == Reason.LOW_QUALITY
    assert np.isnan(cleaned.dx[3, 4])
    assert (cleaned.reason != Reason.VALID).sum() == 1


def test_both_sides_of_a_fault_stay():
    assert find_outliers(flow_of(fault(np.random.default_rng(0)))).mean() < 0.005


def test_wrong_vectors_are_found_alone_and_in_clusters():
    rng = np.random.default_rng(1)
    dx = fault(rng)
    wrong = np.zeros(dx.shape, bool)
    wrong[10, 10] = wrong[50, 20:22] = wrong[30:32, 60:62] = True
    dx[wrong] += 4
    found = find_outliers(flow_of(dx))
    assert found[wrong].all()
    assert (found & ~wrong).mean() < 0.005


def test_smoothing_lowers_noise_and_keeps_the_jump():
    rng = np.random.default_rng(2)
    truth = fault(rng, noise=0)
    smoothed = smooth(flow_of(truth + rng.normal(0, 0.05, truth.shape)), 2.0)
    error = smoothed.dx - truth
    assert error.std() < 0.02
    assert abs(error).max() < 0.2  # a plain mean would be off by 1 at the fault


@pytest.mark.parametrize("width", [1.0, 2.0, 4.0])
def test_errors_are_alike_over_more_after_smoothing(width):
    """Of the smoothed noise of a field, each square counts as one measurement of its mean."""
    rng = np.random.default_rng(5)
    variance, means = [], []
    for _ in range(60):
        smoothed = smooth(flow_of(rng.normal(0, 0.05, (SIDE, SIDE)), sigma=1.0), width)
        variance.append(smoothed.dx.var())
        means.append(smoothed.dx.mean())
    square = np.mean(np.square(means)) / np.mean(variance) * SIDE**2
    assert smoothed_alike(1.0, CleanConfig(smooth=width), 1) ** 2 == pytest.approx(square, rel=0.5)
    assert smoothed_alike(32.0, CleanConfig(), 8) == 32


def test_reach_covers_what_is_looked_at():
    config = CleanConfig(outliers=True, smooth=1.0)
    rng = np.random.default_rng(3)
    dx = fault(rng)
    whole = clean_flow(flow_of(dx), config)
    margin = clean_reach(config)
    part = clean_flow(flow_of(dx[20 - margin : 50 + margin, 20 - margin : 50 + margin]), config)
    inner = part.dx[margin:-margin, margin:-margin] if margin else part.dx
    np.testing.assert_array_equal(inner, whole.dx[20:50, 20:50])


def sample(field):
    rows, cols = (each.ravel().astype(float) for each in np.indices(field.shape))
    return rows, cols, field.ravel()


def test_stripes_are_found_and_removed():
    rng = np.random.default_rng(4)
    stripes = 0.1 * np.sin(np.arange(400) * 2 * np.pi / 24)[None, :].repeat(300, 0)
    rows, cols, dx = sample(stripes + rng.normal(0, 0.1, stripes.shape))
    found = estimate_stripes(rows, cols, dx, 0 * dx, track_angle=0.0)
    left = stripes - found.at(np.arange(300)[:, None], np.arange(400)[None, :])[0]
    assert left.std() < stripes.std() / 3


def test_stripes_of_windows_lie_where_the_windows_do():
    """Samples of a window method are 8 pixels apart; their stripes must not be taken half of that to one side."""
    rng = np.random.default_rng(0)
    rows, cols = (a.ravel() for a in np.meshgrid(8 * np.arange(64) + 3.5, 8 * np.arange(64) + 3.5, indexing="ij"))
    jitter = 0.15 * np.sin(rows / 7)
    noise = rng.normal(0, 0.05, (2, rows.size))
    stripes = estimate_stripes(rows, cols, jitter + noise[0], noise[1], track_angle=0.0)
    assert np.std(jitter - stripes.at(rows, cols)[0]) < 0.15 * np.std(jitter)


def test_a_fault_is_no_stripe():
    y, x = np.mgrid[:300, :400]
    field = np.where(x + y < 350, -1.0, 1.0)
    rows, cols, dx = sample(field)
    found = estimate_stripes(rows, cols, dx, 0 * dx, track_angle=10.0)
    change, _ = found.at(y, x)
    assert change.std() < 0.05 * 2


@pytest.mark.parametrize("kind", ["offset", "ramp"])
def test_registration_with_a_third_of_the_scene_moving(kind):
    rng = np.random.default_rng(5)
    rows, cols = rng.uniform(0, 1000, (2, 4000))
    ramp = 1e-3 * (cols - 500) - 5e-4 * (rows - 500) if kind == "ramp" else 0
    dx = 0.37 + ramp + rng.normal(0, 0.05, 4000)
    dx[cols < 300] += rng.uniform(1, 3, (cols < 300).sum())
    sigma = np.full(4000, 0.05)
    found = fit_registration(rows, cols, dx, -dx, sigma, sigma, kind=kind)
    error = found.at(rows, cols)[0] - 0.37 - ramp
    assert abs(error).max() < 0.02
    assert found.record()["dx_pixels"]["offset"]["standard_error"] < 0.005


def test_registration_standard_errors_are_honest():
    z = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows, cols = rng.uniform(0, 100, (2, 100))
        dx = 0.1 + rng.normal(0, 0.1, 100)
        sigma = np.full(100, 0.1)
        found = fit_registration(rows, cols, dx, dx, sigma, sigma, kind="offset")
        z.append((found.coefficients[0, 0] - 0.1) / np.sqrt(found.covariances[0, 0, 0]))
    assert 0.7 < np.var(z) < 1.5


@pytest.mark.parametrize("kind", ["offset", "ramp"])
def test_registration_knows_that_errors_of_neighbours_are_alike(kind):
    rows, cols = (each.ravel() * 8.0 for each in np.mgrid[:40, :40])
    sigma = np.full(rows.size, 0.1)
    corner, z = (np.array([0.0]), np.array([0.0])), []
    for seed in range(150):
        own = np.random.default_rng(seed).normal(0, 0.1, (10, 10)).repeat(4, 0).repeat(4, 1).ravel()
        found = fit_registration(rows, cols, own, own, sigma, sigma, kind=kind, alike=32)
        z.append(found.at(*corner)[0][0] / found.sigma(*corner)[0][0])
    assert 0.7 < np.mean(np.square(z)) < 1.4
