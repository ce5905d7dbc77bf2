"""Cleaning: separate, optional steps. What is removed becomes invalid with a reason, and is never invented.

Threshold, outliers and smoothing act on measured tiles with a halo from their neighbours; stripes are estimated from
the whole map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from groundshift.engine import TileStore, read_box
from groundshift.grid.tiles import Tile
from groundshift.kernels.median import bilateral, normalised_residual
from groundshift.model.reason import Reason
from groundshift.optical.methods import PixelFlow, flow_where_valid

if TYPE_CHECKING:
    from groundshift.optical.config import CleanConfig

_SCALES = (1, 2, 4)  # map pixels
_LARGEST_RESIDUAL = 4.0  # in units of the neighbours' scatter
_NOISE = 0.02  # pixels
_SMOOTH_REACH = 2.5  # of the smoothing, in units of its standard deviation


def clean_reach(config: CleanConfig) -> int:
    """Map pixels around a node that its cleaning looks at."""
    return (max(_SCALES) if config.outliers else 0) + (_radius(config.smooth) if config.smooth else 0)


@dataclass(frozen=True)
class CleanTile:
    """A step for the engine: a measured tile in, the same cleaned.

    Runs in threads of the process that has the store.
    """

    measured: TileStore
    tiles: list[Tile]  # all that are in the store
    config: CleanConfig

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """Layers like those of the measured tile."""
        box, layers = read_box(self.measured, self.tiles, tile.box.padded(clean_reach(self.config)))
        flow = clean_flow(PixelFlow(*(layers[name] for name in PixelFlow._fields)), self.config)
        inner = tile.box.shifted(-box.top, -box.left).slices
        return {name: np.ascontiguousarray(values[inner]) for name, values in {**layers, **flow._asdict()}.items()}


def cleans(config: CleanConfig) -> bool:
    """Whether any step asks for cleaned tiles."""
    return config.min_quality > 0 or config.outliers or config.smooth > 0


def clean_flow(flow: PixelFlow, config: CleanConfig) -> PixelFlow:
    """Quality threshold, outliers and smoothing as asked, in this order."""
    if config.min_quality > 0:
        flow = _without(flow, flow.quality < config.min_quality, Reason.LOW_QUALITY)
    if config.outliers:
        flow = _without(flow, find_outliers(flow), Reason.OUTLIER)
    if config.smooth > 0:
        flow = smooth(flow, config.smooth)
    return flow


def _without(flow: PixelFlow, remove: np.ndarray, why: Reason) -> PixelFlow:
    reason = np.where((flow.reason == Reason.VALID) & remove, why, flow.reason).astype(np.uint8)
    return flow_where_valid(flow[:5], reason)


def find_outliers(flow: PixelFlow) -> np.ndarray:
    """Vectors that stand out from their neighbours at any of three scales; bool (y, x).

    The residual to the median of the neighbours on the vector's own side is compared with their scatter, the vector's
    own sigma and a floor (see :func:`groundshift.kernels.median.normalised_residual`). Both sides of a fault stay.
    """
    found = np.zeros(flow.reason.shape, bool)
    for spacing in _SCALES:
        use = (flow.reason == Reason.VALID) & ~found
        residual = normalised_residual(flow.dx, flow.dy, flow.dx_sigma, flow.dy_sigma, use, spacing, _NOISE)
        found |= residual > _LARGEST_RESIDUAL
    return found


def smooth(flow: PixelFlow, width: float) -> PixelFlow:
    """Edge-preserving mean of standard deviation `width` map pixels; jumps larger than their sigma stay sharp."""
    use = flow.reason == Reason.VALID
    layers = bilateral(flow.dx, flow.dy, flow.dx_sigma, flow.dy_sigma, use, width, _radius(width))
    return flow._replace(dx=layers[0], dy=layers[1], dx_sigma=layers[2], dy_sigma=layers[3])


def smoothed_alike(alike: float, config: CleanConfig, step: int) -> float:
    """Side of the squares over which errors count as one after cleaning, pixels, from that before it.

    A mean with Gaussian weights of standard deviation s makes white noise alike over an area of 4π s².
    """
    return float(np.hypot(alike, np.sqrt(4 * np.pi) * config.smooth * step))


def _radius(width: float) -> int:
    return int(np.ceil(_SMOOTH_REACH * width))


# --- stripes --------------------------------------------------------------------------------------------------------

_LINE = 4.0  # pixels: width of the lines in which stripes are estimated
_CELL = 2  # length of a cell along a line, in widths
_LEAST_CELLS = 10  # in a line
_WAVE = 12  # lines on either side: what varies more slowly is ground, not stripe


@dataclass(frozen=True)
class Stripes:
    """Offsets that are constant along lines: along the sensor's track (detectors) and across it (attitude jitter).

    Each profile is a function of the distance in pixels from a line through pixel (0, 0); piecewise linear, flat
    beyond its ends.
    """

    track_angle: float  # degrees clockwise from the columns
    along: tuple[np.ndarray, np.ndarray, np.ndarray]  # distance across the track, dx, dy
    across: tuple[np.ndarray, np.ndarray, np.ndarray]  # distance along the track, dx, dy

    def at(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dy) at pixel positions, arrays that broadcast."""
        right, down = _track_coordinates(rows, cols, self.track_angle)
        dx, dy = (
            np.interp(right, self.along[0], self.along[c]) + np.interp(down, self.across[0], self.across[c])
            for c in (1, 2)
        )
        return dx, dy

    def record(self) -> dict[str, Any]:
        """What was removed, for JSON: root mean square of each profile, pixels."""
        return {
            "track_angle_degrees": self.track_angle,
            **{
                f"rms_{name}_{component}_pixels": float(np.sqrt(np.mean(profile[c] ** 2)))
                for name, profile in (("along", self.along), ("across", self.across))
                for c, component in ((1, "dx"), (2, "dy"))
            },
        }


def _track_coordinates(rows: np.ndarray, cols: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels across the track (to its right) and along it (down), for a track `angle` degrees clockwise from north."""
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    return cols * cosine + rows * sine, rows * cosine - cols * sine


def estimate_stripes(
    rows: np.ndarray, cols: np.ndarray, dx: np.ndarray, dy: np.ndarray, *, track_angle: float
) -> Stripes:
    """Stripes of a map from a sample of it: pixel positions and displacement in pixels, all 1-D.

    Lines along the track come first, then lines across it. Samples are averaged in cells, and each cell is compared
    with the mean of the cells within 12 lines on either side, at the same place along the lines; the median of a
    line's cells is its stripe. Motion of the ground varies along the lines and so does not pass the median, unless it
    follows them; stripes wider than about 12 lines are not seen.
    """
    right, down = _track_coordinates(rows, cols, track_angle)
    width = max(_LINE, _spacing(rows), _spacing(cols))
    along = _profile(right, down, (dx, dy), width)
    left_over = [values - np.interp(right, along[0], along[c]) for c, values in ((1, dx), (2, dy))]
    return Stripes(track_angle, along, _profile(down, right, left_over, width))


def _spacing(positions: np.ndarray) -> float:
    """Distance of the lattice on which samples lie."""
    return float(np.min(np.diff(np.unique(positions)), initial=np.inf)) if len(np.unique(positions)) > 1 else 0.0


def _profile(
    position: np.ndarray, along: np.ndarray, values: Sequence[np.ndarray], width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the samples of each line are on average, and its stripe in dx and dy."""
    nothing = np.zeros(1), np.zeros(1), np.zeros(1)
    if len(position) == 0:
        return nothing
    line = ((position - position.min()) // width).astype(int)
    cell = ((along - along.min()) // (_CELL * width)).astype(int)
    shape = (line.max() + 1, cell.max() + 1)
    index = line * shape[1] + cell
    count = np.bincount(index, minlength=shape[0] * shape[1]).reshape(shape)
    known = (count > 0).sum(axis=1) >= _LEAST_CELLS
    if not known.any():
        return nothing
    stripes = []
    share = ndimage.uniform_filter1d((count > 0).astype(float), 2 * _WAVE + 1, axis=0, mode="constant")
    for each in values:
        total = np.bincount(index, weights=each, minlength=shape[0] * shape[1]).reshape(shape)
        mean = np.where(count > 0, total / np.maximum(count, 1), 0)
        around = ndimage.uniform_filter1d(mean, 2 * _WAVE + 1, axis=0, mode="constant") / np.maximum(share, 1e-9)
        departure = np.where(count > 0, mean - around, np.nan)
        stripes.append(np.nanmedian(departure[known], axis=1))
    centres = np.bincount(line, weights=position)[known] / np.bincount(line)[known]  # samples lie on a lattice
    return centres, stripes[0], stripes[1]
