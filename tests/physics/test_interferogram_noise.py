"""Noise of multilooked interferograms: against echoes drawn by lot, and what is learned against what was drawn."""

import numpy as np
import pytest

from groundshift.insar.interferograms.closure import find_triplets
from groundshift.insar.interferograms.decorrelation import (
    PhaseVariance,
    fit_coherence,
    phase_covariance,
    unbiased_squares,
)
from groundshift.insar.interferograms.inversion import invert_network
from groundshift.insar.interferograms.noise import learn_noise
from groundshift.insar.interferograms.sigmas import total_sigmas
from groundshift.insar.interferograms.survey import line_fields, motion_residual, velocity_row
from groundshift.synth.radar.interferograms import date_pairs

DATES, LOOKS = 16, 24
DAYS = 17_000.0 + 12 * np.arange(DATES)
PAIRS = date_pairs(DATES, 3)
AWAY = np.abs(DAYS[:, None] - DAYS)


def decay(first, last, time):
    """Coherence between all dates."""
    gamma = last + (first - last) * np.exp(-AWAY / time)
    np.fill_diagonal(gamma, 1)
    return gamma


def interferograms(gamma, count, random, looks=LOOKS):
    """Phases (m, n) and coherences (m, n) of ground that does not move."""
    shape = (count, looks, len(gamma))
    echo = (random.normal(size=shape) + 1j * random.normal(size=shape)) @ np.linalg.cholesky(gamma).T
    products = np.einsum("nlt,nls->nts", echo, echo.conj())
    power = np.sqrt(np.einsum("ntt->nt", products).real)
    i, j = PAIRS.T
    return np.angle(products[:, i, j]).T, (np.abs(products[:, i, j]) / power[:, i] / power[:, j]).T


def test_the_variance_of_phases_has_its_limits_and_is_that_of_echoes():
    for looks in (4, 30, 500):
        variance = PhaseVariance(looks)
        assert variance(np.array(0.0)) == pytest.approx(np.pi**2 / 3, rel=1e-3)
        assert variance(np.array(0.97)) == pytest.approx((1 - 0.97**2) / (2 * (looks - 1) * 0.97**2), rel=0.05)
        assert (np.diff(variance(np.linspace(0, 1, 50))) < 0).all()
    random = np.random.default_rng(0)
    for last in (0.1, 0.3, 0.6):
        phase, _ = interferograms(decay(last, last, 1.0), 2000, random)
        assert phase.var() == pytest.approx(float(PhaseVariance(LOOKS)(np.array(last))), rel=0.05)


def test_errors_go_together_as_those_of_echoes_do():
    """Also sums of them from date to date, which independent errors would make four times too small or too large."""
    random = np.random.default_rng(1)
    for gamma in (decay(0.9, 0.6, 40.0), decay(0.7, 0.0, 60.0)):
        phase, _ = interferograms(gamma, 4000, random)
        expected = phase_covariance(gamma, PAIRS, PhaseVariance(LOOKS))
        assert np.abs(np.cov(phase) - expected).max() < 0.12 * expected.diagonal().max()
        chain = (np.diff(PAIRS, axis=1)[:, 0] == 1).astype(float)
        assert (chain @ phase).var() == pytest.approx(chain @ expected @ chain, rel=0.15)


@pytest.mark.parametrize("true", [0.0, 0.2, 0.5, 0.9])
def test_squares_of_coherences_have_no_bias(true):
    _, coherence = interferograms(decay(true, true, 1.0), 1000, np.random.default_rng(2), looks=10)
    assert unbiased_squares(coherence, 10).mean() == pytest.approx(true**2, abs=0.01)


def test_coherence_of_dates_far_apart_follows_from_near_ones():
    lost = np.where(np.arange(DATES) % 5 == 2, 0.6, 1.0)
    gamma = decay(0.8, 0.3, 50.0) * np.outer(lost, lost)
    np.fill_diagonal(gamma, 1)
    i, j = date_pairs(DATES, 6).T
    squares = gamma[i, j] ** 2
    squares[7] = np.nan
    found = fit_coherence(squares, date_pairs(DATES, 6), DAYS, LOOKS, 5000.0)
    assert np.abs(found - gamma).max() < 0.06
    assert np.linalg.eigvalsh(found).min() > 0


@pytest.mark.parametrize("looks", [None, float(LOOKS)])
def test_sigmas_hold_on_every_kind_of_ground(looks):
    """Those of errors that are taken for independent do not."""
    random = np.random.default_rng(3)
    grounds = {"stable": decay(0.85, 0.6, 60.0), "meadow": decay(0.65, 0.0, 25.0), "field": decay(0.7, 0.15, 60.0)}
    phases, coherences = zip(*(interferograms(each, 800, random) for each in grounds.values()), strict=True)
    phase, coherence = np.concatenate(phases, axis=1), np.concatenate(coherences, axis=1)
    a, b, c = find_triplets(PAIRS, DATES).T
    sums = np.angle(np.exp(1j * (phase[a] + phase[b] - phase[c])))
    row, residual = velocity_row(DAYS), motion_residual(DAYS)
    noise = learn_noise(coherence, sums, PAIRS, DAYS, row=row, residual=residual, looks=looks)
    assert noise is not None
    assert noise.looks == pytest.approx(LOOKS, rel=0.15)
    pixels = noise.of(coherence)
    found = invert_network(phase, PAIRS, DAYS, weights=1 / pixels.variance, row=row, known=True)
    plain = invert_network(phase, PAIRS, DAYS, weights=coherence**2 / (1 - coherence**2), row=row)
    scattered = (residual @ found.displacement) ** 2
    for number, name in enumerate(grounds):
        part = slice(800 * number, 800 * (number + 1))
        squares = found.velocity[part] ** 2
        assert 0.65 < np.mean(squares / (found.velocity_sigma**2 * pixels.more_velocity)[part]) < 1.3, name
        last = found.displacement[-1, part] ** 2 / (found.sigma[-1] ** 2 * pixels.more_dates[-1])[part]
        assert 0.65 < last.mean() < 1.3, name
        assert 0.65 < scattered.sum(axis=0)[part].mean() / pixels.scatter[part].mean() < 1.25, name
        assert np.mean((plain.velocity / plain.velocity_sigma)[part] ** 2) > 2.5, name


def test_what_nothing_tells_is_not_known():
    nothing = np.full((len(PAIRS), 300), np.nan)
    sums = np.full((len(find_triplets(PAIRS, DATES)), 300), np.nan)
    given = {"row": velocity_row(DAYS), "residual": motion_residual(DAYS)}
    assert learn_noise(nothing, sums, PAIRS, DAYS, **given) is None
    assert learn_noise(np.full_like(nothing, 0.7), sums, PAIRS, DAYS, **given) is None
    assert learn_noise(np.full_like(nothing, 0.7), sums, PAIRS, DAYS, looks=30.0, **given) is not None


def test_noise_of_dates_besides_interferograms_is_in_the_sigmas():
    random = np.random.default_rng(4)
    noise = 3.0 * random.standard_normal((DATES, 3000))
    noise -= noise[:1]
    values = noise[PAIRS[:, 1]] - noise[PAIRS[:, 0]]
    found = invert_network(values, PAIRS, DAYS, weights=np.full(len(PAIRS), 1e4), known=True)
    fields = line_fields(noise.T, DAYS, wavelength=55.0)
    sigmas = total_sigmas(noise.T, DAYS, found, scatter=np.zeros(3000), of_line=fields.mean_velocity_std)
    assert np.mean((fields.mean_velocity / sigmas.velocity) ** 2) == pytest.approx(14 / 12, abs=0.12)  # of Student
    assert sigmas.displacement[-1].mean() == pytest.approx(3 * np.sqrt(2), rel=0.05)
    assert (sigmas.displacement[0] == 0).all()
    with_air = total_sigmas(
        noise.T, DAYS, found, scatter=np.zeros(3000), of_line=fields.mean_velocity_std, air_velocity=40.0, air=5.0
    )  # fmt: skip
    assert with_air.velocity**2 == pytest.approx(sigmas.velocity**2 + 1600)
    assert with_air.displacement[-1] ** 2 == pytest.approx(sigmas.displacement[-1] ** 2 + 25, rel=1e-5)
