"""All tracks and bursts in one least squares: surfaces, what the velocity model lacks, and what a cell has of its own.

The velocity of burst b in cell c less the model on the line of sight, l·m, is

    v - l·m = s_b(c) + l·g(c) + l·k(c) + n

with the surface s_b that is looked for, the error g of the model (smooth; beforehand it has the covariance of the
model), the motion k of the cell that no model knows (east and up, alike for all bursts that see the cell, independent
from cell to cell beforehand), and noise n of each burst. Cells that several bursts see tie these: two with the same
look by their difference, as k drops out; others through k and g. Cells that do not fit count for less, so that local
motion is not taken for an error of the orbit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pyproj import CRS
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from groundshift.errors import InputError
from groundshift.geodesy.velocity_model import VelocityField
from groundshift.kernels.robust import nmad
from groundshift.products.calibrate.cells import BurstSummary, to_plane
from groundshift.products.calibrate.config import CalibrateConfig
from groundshift.products.calibrate.surface import Nodes, Surfaces, bilinear, node_places

_ROUNDS = 6
_OUTLIER = 2.0  # standardised residual from which the sigma of a cell is as large as its residual, over this
_MODEL_NODES = 400  # at most
_VAGUE = 3.0  # mm/yr: size of regional motion where there is no model
_VAGUE_LENGTH = 150e3  # m over which it is alike
_LAGS = 8  # cells, over which the likeness of what is left is summed
_TAKEN_UP = 1.6  # what is left is less alike than the noise was, as surfaces take up its slow part: found on strips


class Observations(NamedTuple):
    """All cells of all bursts, sorted by cell."""

    burst: np.ndarray  # int (n,)
    track: np.ndarray  # int (n,)
    key: np.ndarray  # int64 (n,): of the cell
    places: np.ndarray  # float64 (n, 2), m
    look: np.ndarray  # float64 (n, 3)
    value: np.ndarray  # float64 (n,), mm/yr: median velocity less the model
    variance: np.ndarray  # float64 (n,): of independent points


class Noise(NamedTuple):
    """What is left of the observations, as standard deviations in mm/yr."""

    burst: float  # of one burst in one cell, beside its points
    motion: float  # of the cell's own motion, each of east and up
    alike: float  # cells, over which what is left is alike: a cell counts as one of so many


class Solution(NamedTuple):
    """Surfaces of all bursts, and how well they are known."""

    surfaces: Surfaces
    unknowns: np.ndarray  # float64: of the surfaces
    factor: SuperLU  # of the normal matrix of all unknowns
    size: int  # of that matrix
    noise: Noise
    weight: np.ndarray  # float64 (n,): of each observation, 0 to 1
    residual: np.ndarray  # float64 (n,), mm/yr
    observations: Observations

    def at(self, burst: int, places: np.ndarray) -> np.ndarray:
        """What is to be taken off the velocities of a burst at places (n, 2) in the CRS, float64 (n,), mm/yr."""
        return self.surfaces.at(burst, places, self.unknowns)

    def sigma(self, burst: int, places: np.ndarray) -> np.ndarray:
        """One standard deviation of :meth:`at`, float64 (n,), mm/yr: of points, cells and model."""
        right = self._right(np.full(len(places), burst), places)
        return np.sqrt(np.maximum((right * self.factor.solve(right)).sum(axis=0), 0))

    def covariance(self, bursts: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Of what is taken off bursts (n,) at places (n, 2), float64 (n, n), (mm/yr)²."""
        right = self._right(bursts, places)
        return right.T @ self.factor.solve(right)

    def _right(self, bursts: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Of what is taken off, the part of each unknown, float64 (size, n)."""
        right = np.zeros((self.size, len(places)))
        for burst in np.unique(bursts):
            mine = np.flatnonzero(bursts == burst)
            right[: self.surfaces.count, mine] = self.surfaces.design(int(burst), places[mine]).toarray().T
        return right


def observations_of(bursts: Sequence[BurstSummary], field: VelocityField | None) -> Observations:
    """Cells of all bursts against the model; those where the model has no value are left out, InputError if all are."""
    cells = [each.cells for each in bursts]
    burst = np.repeat(np.arange(len(bursts)), [len(each.key) for each in cells])
    key, places, degrees, look, velocity, variance = (
        np.concatenate([getattr(each, name) for each in cells])
        for name in ("key", "places", "degrees", "look", "velocity", "variance")
    )
    model = 0.0 if field is None else (field.at(*degrees.T).velocity * look).sum(axis=1)
    value = velocity - model
    order = np.lexsort((burst, key))
    order = order[np.isfinite(value[order])]
    if not order.size:
        raise InputError(
            f"the velocity model {field.source} has no value where the points are; give one that covers them"
        )
    track = np.array([each.track for each in bursts])[burst]
    return Observations(*(each[order] for each in (burst, track, key, places, look, value, variance)))


def solve(bursts: Sequence[BurstSummary], field: VelocityField | None, crs: CRS, config: CalibrateConfig) -> Solution:
    """Estimate the surfaces of all bursts together; without a model, offsets and tilts that make neighbours agree."""
    seen = observations_of(bursts, field)
    surfaces = _surfaces(bursts, config)
    lattice = _lattice(seen.places, config)
    prior = _model_precision(lattice, field, crs)
    design = _design(seen, surfaces, lattice)
    bend = config.bend if field is not None else 1e-3
    precision = sparse.block_diag(
        [sparse.diags_array(surfaces.prior(bend, config.tilt, config.offset) ** -2.0), sparse.csr_array(prior)], "csc"
    )
    noise, weight = Noise(0.3, 0.3, 1.0), np.ones(len(seen.value))
    for _ in range(_ROUNDS):
        whitener = _whitener(seen, noise, weight)
        scaled, values = whitener @ design, whitener @ seen.value
        factor = splu((scaled.T @ scaled + precision).tocsc())
        unknowns = factor.solve(scaled.T @ values)
        residual = seen.value - design @ unknowns
        noise = _noise(seen, residual)
        spread = np.sqrt(seen.variance + noise.burst**2 + noise.motion**2 * (seen.look[:, [0, 2]] ** 2).sum(axis=1))
        weight = np.minimum(1, _OUTLIER * spread / np.maximum(np.abs(residual), 1e-9)) ** 2
    found = unknowns[: surfaces.count].copy()
    if field is None:
        found = _centred(found, surfaces, bursts, seen)
    return Solution(surfaces, found, factor, len(unknowns), noise, weight, residual, seen)


def _surfaces(bursts: Sequence[BurstSummary], config: CalibrateConfig) -> Surfaces:
    tracks = tuple(sorted({each.track for each in bursts}))
    boxes = [np.array([each.box for each in bursts if each.track == track]) for track in tracks]
    nodes = tuple(
        Nodes.over(np.append(each[:, :2].min(axis=0), each[:, 2:].max(axis=0)), 500 * config.cutoff) for each in boxes
    )
    return Surfaces(tracks, nodes, np.array([tracks.index(each.track) for each in bursts]))


def _lattice(places: np.ndarray, config: CalibrateConfig) -> Nodes:
    """Nodes of the error of the model: a quarter of the cut-off apart, or farther if there would be too many."""
    box = np.concatenate([places.min(axis=0), places.max(axis=0)])
    spacing = max(250 * config.cutoff, float(np.sqrt(np.prod(box[2:] - box[:2]) / _MODEL_NODES)))
    return Nodes.over(box, spacing)


def _model_precision(lattice: Nodes, field: VelocityField | None, crs: CRS) -> np.ndarray:
    """Inverse covariance of the model at the nodes, (3n, 3n)."""
    places = node_places(lattice)
    if field is None:
        apart = np.linalg.norm(places[:, None] - places, axis=-1) / _VAGUE_LENGTH
        covariance = np.kron((1 + apart) * np.exp(-apart), np.eye(3)) * _VAGUE**2
    else:
        longitude, latitude = to_plane(crs).transform(*places.T, direction="INVERSE")
        covariance = field.joint_covariance(latitude, longitude)
    covariance[np.diag_indices_from(covariance)] += 1e-4
    return np.linalg.inv(covariance)


def _design(seen: Observations, surfaces: Surfaces, lattice: Nodes) -> sparse.csr_array:
    """Surfaces and error of the model, for each observation."""
    parts, rows = [], []
    for burst in np.unique(seen.burst):
        mine = np.flatnonzero(seen.burst == burst)
        parts.append(surfaces.design(int(burst), seen.places[mine]))
        rows.append(mine)
    own = sparse.vstack(parts, "csr")[np.argsort(np.concatenate(rows))]
    near = bilinear(lattice, seen.places).tocoo()
    values = near.data[:, None] * seen.look[near.row]
    columns = 3 * near.col[:, None] + np.arange(3)
    lacking = sparse.csr_array(
        (values.ravel(), (np.repeat(near.row, 3), columns.ravel())), shape=(len(seen.value), 3 * lattice.count)
    )
    return sparse.hstack([own, lacking], "csr")


def _whitener(seen: Observations, noise: Noise, weight: np.ndarray) -> sparse.csr_array:
    """What makes observations independent of variance 1: block by block of a cell, (n, n)."""
    sizes = np.diff(np.append(_starts(seen.key), len(seen.key)))
    blocks = []
    variance = (seen.variance + noise.burst**2) * noise.alike / weight
    motion = noise.motion * np.sqrt(noise.alike / weight)[:, None] * seen.look[:, [0, 2]]
    for size in np.unique(sizes):
        rows = _starts(seen.key)[sizes == size][:, None] + np.arange(size)
        covariance = motion[rows] @ motion[rows].transpose(0, 2, 1)
        covariance[:, np.arange(size), np.arange(size)] += variance[rows]
        inverse = np.linalg.inv(np.linalg.cholesky(covariance))
        blocks.append([each.ravel() for each in np.broadcast_arrays(inverse, rows[:, :, None], rows[:, None, :])])
    values, rows, columns = (np.concatenate(each) for each in zip(*blocks, strict=True))
    return sparse.csr_array((values, (rows, columns)), shape=(len(seen.key), len(seen.key)))


def _starts(key: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.append(True, np.diff(key) != 0))


def _noise(seen: Observations, residual: np.ndarray) -> Noise:
    """Noise of bursts from pairs in one cell with the same look, motion from the rest, both robust."""
    alike = np.sign(seen.look[1:, 0]) == np.sign(seen.look[:-1, 0])
    same = np.flatnonzero((np.diff(seen.key) == 0) & (np.diff(seen.track) != 0) & alike)
    points = float(np.median(seen.variance))
    every = nmad(residual) ** 2
    burst = every - points
    if len(same) >= 20:
        difference = nmad(residual[same + 1] - residual[same]) ** 2 / 2
        burst = difference - float(np.median(seen.variance[same]))
    burst = float(np.clip(burst, 1e-3, max(every, 1e-3)))
    share = float(np.median((seen.look[:, [0, 2]] ** 2).sum(axis=1)))
    motion = float(np.clip((every - burst - points) / share, 1e-3, None))
    return Noise(np.sqrt(burst), np.sqrt(motion), _alike(seen, residual))


def _alike(seen: Observations, residual: np.ndarray) -> float:
    """Sum over lags of the correlation of what is left of a burst: in how many cells it is one and the same."""
    limit = 3 * nmad(residual)
    value = np.clip(residual, -limit, limit)
    variance = float(np.mean(value**2)) + 1e-12
    total, before = 1.0, 1.0
    for lag in range(1, _LAGS + 1):
        products = np.concatenate([_products(seen, value, step) for step in (lag << 32, lag)])
        now = float(np.mean(products)) / variance if len(products) > 30 else 0.0
        if now <= 0.05 or now > before:
            break
        total += _TAKEN_UP * 8 * lag * now
        before = now
    return total


def _products(seen: Observations, value: np.ndarray, step: int) -> np.ndarray:
    """Products of values of one burst in cells whose keys are a step apart."""
    order = np.lexsort((seen.key, seen.burst))
    keys, values = seen.key[order], value[order]
    out = []
    for part in np.split(np.arange(len(keys)), np.flatnonzero(np.diff(seen.burst[order])) + 1):
        at = np.minimum(np.searchsorted(keys[part], keys[part] + step), len(part) - 1)
        found = keys[part][at] == keys[part] + step
        out.append(values[part][found] * values[part][at[found]])
    return np.concatenate(out)


def _centred(
    unknowns: np.ndarray, surfaces: Surfaces, bursts: Sequence[BurstSummary], seen: Observations
) -> np.ndarray:
    """Offsets such that the mean velocity of each orbit is zero."""
    out, start = unknowns.copy(), int(surfaces.starts[-1])
    left = np.empty(len(seen.value))
    for burst in range(len(bursts)):
        mine = seen.burst == burst
        left[mine] = seen.value[mine] - surfaces.at(burst, seen.places[mine], unknowns)
    descending = np.array([each.descending for each in bursts])
    for side in (False, True):
        if (descending == side).any():
            out[start + np.flatnonzero(descending == side)] += left[descending[seen.burst] == side].mean()
    return out
