"""Low-pass surfaces on a plane: bicubic B-splines of a track, its tilt, and an offset of each burst."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

TILT = 100e3
"""Metres over which a tilt is counted."""


class Nodes(NamedTuple):
    """A lattice of spline nodes, whose basis functions together cover a box."""

    left: float  # m: the first node
    bottom: float
    spacing: float  # m
    columns: int
    rows: int

    @classmethod
    def over(cls, box: np.ndarray, spacing: float) -> Nodes:
        """The lattice for a box: west, south, east, north, m. The box lies in the middle of it."""
        cells = np.maximum(np.ceil((box[2:] - box[:2]) / spacing).astype(int), 1)
        first = (box[:2] + box[2:]) / 2 - cells * spacing / 2 - spacing
        return cls(float(first[0]), float(first[1]), float(spacing), int(cells[0]) + 3, int(cells[1]) + 3)

    @property
    def count(self) -> int:
        """Nodes in all."""
        return self.rows * self.columns

    @property
    def middle(self) -> np.ndarray:
        """Of the lattice, float64 (2,), m."""
        return np.array([self.left, self.bottom]) + np.array([self.columns - 1, self.rows - 1]) * self.spacing / 2

    def weights(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nodes, int (n, 16), and their weights, float64 (n, 16), at places (n, 2); the margin is as far as it goes."""
        across, along = (
            _cubic((places[:, k] - first) / self.spacing, count)
            for k, (first, count) in enumerate(((self.left, self.columns), (self.bottom, self.rows)))
        )
        nodes = along[0][:, :, None] * self.columns + across[0][:, None, :]
        weights = along[1][:, :, None] * across[1][:, None, :]
        return nodes.reshape(len(places), 16), weights.reshape(len(places), 16)


class Surfaces(NamedTuple):
    """Which unknowns make the surfaces of all bursts: of each track nodes and two tilts, of each burst an offset."""

    tracks: tuple[int, ...]  # numbers, as bursts name them
    nodes: tuple[Nodes, ...]  # of each track
    track_of: np.ndarray  # int (bursts,): index of the track of each burst

    @property
    def starts(self) -> np.ndarray:
        """First unknown of each track, and after them of the offsets; int (tracks + 1,)."""
        return np.append(0, np.cumsum([each.count + 2 for each in self.nodes]))

    @property
    def count(self) -> int:
        """Unknowns in all."""
        return int(self.starts[-1]) + len(self.track_of)

    def design(self, burst: int, places: np.ndarray) -> sparse.csr_array:
        """The surface of a burst at places (n, 2), m, for each unknown; (n, count)."""
        track = int(self.track_of[burst])
        nodes, start = self.nodes[track], int(self.starts[track])
        columns, weights = nodes.weights(places)
        tilt = (places - nodes.middle) / TILT
        count = len(places)
        every = np.column_stack(
            [start + columns, np.tile([start + nodes.count, start + nodes.count + 1], (count, 1)),
             np.full(count, self.starts[-1] + burst)]
        )  # fmt: skip
        values = np.column_stack([weights, tilt, np.ones(count)])
        rows = np.repeat(np.arange(count), every.shape[1])
        return sparse.csr_array((values.ravel(), (rows, every.ravel())), shape=(count, self.count))

    def at(self, burst: int, places: np.ndarray, unknowns: np.ndarray) -> np.ndarray:
        """The surface of a burst at places (n, 2), float64 (n,)."""
        track = int(self.track_of[burst])
        nodes, start = self.nodes[track], int(self.starts[track])
        columns, weights = nodes.weights(places)
        bent = (unknowns[start + columns] * weights).sum(axis=1)
        tilt = unknowns[start + nodes.count : start + nodes.count + 2]
        return bent + (places - nodes.middle) / TILT @ tilt + unknowns[self.starts[-1] + burst]

    def prior(self, bend: float, tilt: float, offset: float) -> np.ndarray:
        """Standard deviation of each unknown beforehand, float64 (count,), mm/yr."""
        out = np.full(self.count, offset)
        for start, nodes in zip(self.starts, self.nodes, strict=False):
            out[start : start + nodes.count] = bend
            out[start + nodes.count : start + nodes.count + 2] = tilt
        return out


def bilinear(nodes: Nodes, places: np.ndarray) -> sparse.csr_array:
    """Weights of the four nodes around places (n, 2), (n, nodes); outside, those of the nearest edge."""
    position = (places - [nodes.left, nodes.bottom]) / nodes.spacing
    position = np.clip(position, 0, np.array([nodes.columns, nodes.rows]) - 1.000001)
    whole = np.floor(position).astype(np.int64)
    part = position - whole
    columns = np.stack(
        [(whole[:, 1] + up) * nodes.columns + whole[:, 0] + right for up in (0, 1) for right in (0, 1)], axis=1
    )
    values = np.stack(
        [np.abs(1 - up - part[:, 1]) * np.abs(1 - right - part[:, 0]) for up in (0, 1) for right in (0, 1)], axis=1
    )
    rows = np.repeat(np.arange(len(places)), 4)
    return sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(len(places), nodes.count))


def interpolated(nodes: Nodes, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values of the nodes (nodes,) between them, float64 (n,)."""
    return bilinear(nodes, places) @ values


def node_places(nodes: Nodes) -> np.ndarray:
    """Places of the nodes, float64 (n, 2), m: rows from the south, in each from the west."""
    east = nodes.left + np.arange(nodes.columns) * nodes.spacing
    north = nodes.bottom + np.arange(nodes.rows) * nodes.spacing
    return np.stack(np.meshgrid(east, north), -1).reshape(-1, 2)


def _cubic(position: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the cubic B-spline at positions in units of nodes, each (n, 4)."""
    position = np.clip(position, 1, count - 2 - 1e-9)
    whole = np.floor(position).astype(np.int64)
    t = position - whole
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], 1) / 6
    return whole[:, None] + np.arange(-1, 3), weights
