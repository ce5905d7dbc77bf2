"""Faults as meshes of triangular dislocations in an elastic half-space, and how the ground moves when they slip.

Elasticity has no length of its own, so all lengths, depths and slips are pixels of the first image. Faults dip down to
the right of their trace, seen along it; slip is that of the right side against the left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from groundshift.errors import InputError
from groundshift.kernels.dislocation_field import dislocation_field
from groundshift.kernels.triangular_dislocation import surface_displacement
from groundshift.synth.motions import GroundMotion

_PRECISION = 5e-4  # pixels, and the share of the peak, of the field
_MARGIN = 8.0  # pixels around the image where the field is known, beside the peak


@dataclass(frozen=True)
class Fault:
    """A fault: columns below the segments of a trace, and rows from its upper edge down."""

    trace: np.ndarray  # float64 (n + 1, 2): rows, columns of the upper edge
    depths: np.ndarray  # float64 (m + 1,): of the edges of the rows, rising; 0 breaks the surface
    dip: float  # degrees, above 0 to 90
    strike_slip: np.ndarray  # float64 (m, n): left-lateral; right-lateral is negative
    dip_slip: np.ndarray  # float64 (m, n): reverse; normal is negative

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """Triangles (t, 3, 3) and slips (t, 3), east, north, up; each row has half the columns of the one above.

        The slip of two columns that become one is averaged. Slip is along the plane of its segment and `dip`.
        """
        trace = np.column_stack([self.trace[:, 1], -self.trace[:, 0]])
        chord = trace[-1] - trace[0]
        right = np.array([chord[1], -chord[0]]) / np.hypot(*chord)
        cos, sin = _turned(self.dip)
        rise = np.array([*(-cos * right), sin])
        upper = np.arange(len(trace))
        strike_slip, dip_slip, vertices, slips = self.strike_slip, self.dip_slip, [], []
        for row in range(len(self.depths) - 1):
            lower = np.unique(np.append(upper[::2], upper[-1])) if len(upper) > 3 else upper
            down = (self.depths[row : row + 2] - self.depths[0]) * cos / sin
            top, bottom = (
                np.column_stack([trace[at] + run * right, np.full(len(at), -depth)])
                for at, run, depth in zip((upper, lower), down, self.depths[row : row + 2], strict=True)
            )
            along, rising = strike_slip[row], dip_slip[row]
            for k in range(len(lower) - 1):
                first, last = np.searchsorted(upper, lower[k : k + 2])
                for column in range(first, last):
                    corner = bottom[k] if column == first else bottom[k + 1]
                    vertices.append((top[column], corner, top[column + 1]))
                    slips.append((trace[upper[column + 1]] - trace[upper[column]], along[column], rising[column]))
                middle = first + 1 if last - first == 2 else last
                vertices.append((bottom[k], bottom[k + 1], top[middle]))
                mean = along[first:last].mean(), rising[first:last].mean()
                slips.append((trace[lower[k + 1]] - trace[lower[k]], *mean))
            if len(lower) < len(upper):
                starts = np.searchsorted(upper, lower[:-1])
                counts = np.diff(np.append(starts, len(upper) - 1))
                strike_slip, dip_slip = (
                    np.add.reduceat(each, starts, axis=1) / counts for each in (strike_slip, dip_slip)
                )
            upper = lower
        step, along, rising = (np.array(each, float) for each in zip(*slips, strict=True))
        step /= np.hypot(*step.T)[:, None]
        vectors = along[:, None] * np.column_stack([step, np.zeros(len(step))]) + rising[:, None] * rise
        return np.array(vertices), vectors


def fault_motion(
    faults: Sequence[Fault],
    shape: tuple[int, int],
    *,
    peak: float | None = None,
    record: Mapping[str, Any] | None = None,
) -> GroundMotion:
    """The earthquake in which faults slip.

    Exact to 5e-4 pixels (and that share of the peak) up to 8 pixels and the peak away from the image, and constant
    beyond.

    Parameters
    ----------
    faults
        Which may share their slip.
    shape
        Rows and columns of the image.
    peak
        Largest displacement at the centre of a pixel, to which all slips are scaled; None leaves them.
    record
        What else to write down.
    """
    if not faults or (peak is not None and not peak > 0):
        raise InputError(f"{len(faults)} faults with a peak of {peak}; give one fault or more and a peak above 0")
    triangles, slips = (np.concatenate(each) for each in zip(*(fault.triangles() for fault in faults), strict=True))
    estimate = _largest(triangles, slips, shape)
    expected = estimate if peak is None else peak
    slips = slips * (expected / estimate)
    field = dislocation_field(
        triangles, slips, shape, 1.0, (0.0, 0.0), tolerance=_PRECISION * min(1.0, expected),
        margin=_MARGIN + 1.5 * expected,
    )  # fmt: skip
    known = field.values[:2] * [[[1.0]], [[-1.0]]]
    found = float(np.hypot(*known).max())
    factor = 1.0 if peak is None else peak / found
    made = {
        "kind": "earthquake", "peak": factor * found, "triangles": len(triangles),
        "largest_slip": factor * float(np.linalg.norm(slips, axis=1).max()), **(record or {}),
    }  # fmt: skip
    traces = tuple(fault.trace for fault in faults if fault.depths[0] == 0)
    return GroundMotion(partial(_flow, field, factor), traces, "earthquake", made, (factor * known).astype(np.float32))


def _largest(triangles: np.ndarray, slips: np.ndarray, shape: tuple[int, int]) -> float:
    """Largest horizontal displacement at a few places of the image."""
    rows, cols = (each.ravel() for each in np.meshgrid(*(np.linspace(0, size - 1, 12) for size in shape)))
    largest = float(np.hypot(*surface_displacement(cols, -rows, triangles, slips)[:2]).max())
    if not largest > 0:
        raise InputError("the faults do not move the image; give them slip")
    return largest


def _flow(field, factor, rows, cols):
    east, north, _ = field.sample(rows, cols)
    return factor * east, -factor * north


def _turned(dip: float) -> tuple[float, float]:
    """Cosine, exactly 0 where vertical, and sine of a dip."""
    return (0.0, 1.0) if dip == 90 else (float(np.cos(np.radians(dip))), float(np.sin(np.radians(dip))))
