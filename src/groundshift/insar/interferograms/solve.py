"""A box of a network: phases against the reference, their closure, and their inversion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.grid.tiles import Box
from groundshift.insar.interferograms.closure import Closure, closure, suspects
from groundshift.insar.interferograms.inversion import Inversion, invert_network
from groundshift.insar.interferograms.survey import (
    InvertConfig,
    Looks,
    Survey,
    coherence_weights,
    mean_coherence,
    velocity_row,
)
from groundshift.io.interferograms import Interferograms


class Solved(NamedTuple):
    """Pixels of a box that are coherent, row by row: n of them."""

    rows: np.ndarray  # int (n,), of the grid
    columns: np.ndarray
    look: np.ndarray  # float64 (3, n): unit vectors from the ground to the satellite
    kept: np.ndarray  # bool (n,): those that are points, for their dates are joined and their triplets close
    found: Inversion  # mm toward the satellite
    closed: Closure  # before anything was left out
    phase: np.ndarray  # float32 (m, n), radians against the reference
    left_out: np.ndarray  # bool (m, n): phases that were left out
    scatter: np.ndarray | None  # float64 (n,), mm²: sum of squares about the model of motion by known errors of phases


def solve_box(
    network: Interferograms, config: InvertConfig, looks: Looks, known: Survey, box: Box, *, every: int = 1
) -> Solved:
    """Invert the pixels of a box, or only each so many rows and columns of the grid."""
    phase, coherence = network.read(box)
    phase = (phase - known.offsets[:, None, None]).reshape(len(phase), -1)
    rows, columns = (each.ravel() for each in np.mgrid[box.slices])
    good = np.isfinite(phase).any(axis=0) & (rows % every == 0) & (columns % every == 0)
    if coherence is not None:
        good &= mean_coherence(coherence.reshape(phase.shape)) >= config.min_coherence
    look = looks.at(box).reshape(3, -1)
    good &= np.isfinite(look).all(axis=0)
    phase = phase[:, good]
    rows, columns, look = rows[good], columns[good], look[:, good]
    days = network.dates.astype(np.float64)
    expected = known.trends @ np.stack([np.ones(len(rows)), rows, columns])
    closed = closure(phase, network.pairs, len(days), expected=expected)
    wrong, left_out, used = closed.wrong, np.zeros(phase.shape, bool), phase
    if config.leave_out_suspects and len(closed.triplets) and (out := suspects(closed, len(phase))).any():
        left_out = out & np.isfinite(phase)
        used = np.where(out, np.nan, phase)
        wrong = closure(used, network.pairs, len(days), expected=expected).wrong
    coherence = None if coherence is None else coherence.reshape(len(phase), -1)[:, good]
    found, scatter = _inverted(network, known, used, coherence)
    kept = (found.subsets == known.groups) & ~(wrong > config.max_open)
    return Solved(rows, columns, look, kept, found, closed, phase, left_out, scatter)


def _inverted(
    network: Interferograms, known: Survey, phase: np.ndarray, coherence: np.ndarray | None
) -> tuple[Inversion, np.ndarray | None]:
    """Series with their sigmas, mm, and their sums of squares about the model of motion by errors of phases, mm²."""
    days, square = network.dates.astype(np.float64), network.millimetres**2
    values, row = network.millimetres * phase, velocity_row(days)
    if coherence is None:
        return invert_network(values, network.pairs, days, row=row), None
    if known.noise is None:
        weights = coherence_weights(coherence)
        return invert_network(values, network.pairs, days, weights=weights, row=row), None
    noise = known.noise.of(coherence)
    weights = np.where(np.isfinite(coherence), 1 / (square * noise.variance), 0)
    found = invert_network(values, network.pairs, days, weights=weights, row=row, known=True)
    spare = found.used - (len(days) - found.subsets)
    alone = found.rms**2 * np.where(np.isfinite(values), weights, 0).sum(axis=0) / np.maximum(spare, 1)
    alone = np.where(spare > 0, np.maximum(alone - noise.contradiction, 0), 0)  # ramps, wrong cycles: no image's errors
    # where phases lack, series scatter more as velocities do
    scatter = (noise.scatter + alone * noise.scatter_alone) * found.velocity_sigma**2 / noise.velocity
    velocity = found.velocity_sigma * np.sqrt(noise.more_velocity + alone)
    sigma = (found.sigma * np.sqrt(noise.more_dates + alone)).astype(np.float32)
    return found._replace(sigma=sigma, velocity_sigma=velocity), scatter
