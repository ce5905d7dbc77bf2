"""An image brought onto another grid, box by box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.grid.common import LatticeShift, lattice_shift
from groundshift.grid.tiles import Box
from groundshift.io.images.pixels import Image, Pixels
from groundshift.kernels import sinc
from groundshift.model.longitude import beside
from groundshift.model.reason import Reason

_NODE = 16  # pixels between positions that go through the projection; linear between them
_SHARP = 1.02  # output pixels that are larger by less than this need no low-pass filter


@dataclass(frozen=True)
class AlignedImage:
    """An image on a grid that is not its own, with the same `read`. See :class:`~groundshift.io.images.pixels.Image`.

    Where the pixels of both coincide (to 1/1000 pixel), they are read as they are. Otherwise the image is
    interpolated by a windowed sinc, after averaging whole blocks of pixels if the grid is coarser by a factor
    of two or more; a pixel is usable only if all that contribute to it are. The result of a pixel does not
    depend on the box with which it is read.
    """

    image: Image
    grid: GeoBox

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.image.name

    @property
    def date(self) -> np.datetime64:
        """Day of the image."""
        return self.image.date

    @property
    def track_angle(self) -> float | None:
        """Ground track of the image, if the grids have the same north; else None."""
        return self.image.track_angle if self.image.grid.crs == self.grid.crs else None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Files of the image."""
        return self.image.inputs

    def fingerprint(self) -> str:
        """Hash of the image; the grid is not part of it."""
        return self.image.fingerprint()

    def read(self, box: Box) -> Pixels:
        """Pixels of a box of the common grid; NaN and `Reason.OUTSIDE` where the image has nothing."""
        if self._shift is not None:
            return self.image.read(box.shifted(*self._shift))
        block_y, block_x = self._blocks
        rows, cols = source_positions(self.image.grid, self.grid, box)
        rows, cols = (rows + 0.5) / block_y - 0.5, (cols + 0.5) / block_x - 0.5
        scale_y, scale_x = self._residual_scale
        limits = (-(-self.image.grid.shape.y // block_y), -(-self.image.grid.shape.x // block_x))
        top, bottom = _span(rows, limits[0], sinc.reach(scale_y))
        left, right = _span(cols, limits[1], sinc.reach(scale_x))
        values, reason = self.image.read(Box(top * block_y, left * block_x, bottom * block_y, right * block_x))
        values, reason = _block_means(values, reason, block_y, block_x)
        return Pixels(
            *sinc.interpolate(values, reason, rows - top, cols - left, outside=Reason.OUTSIDE, scale=(scale_y, scale_x))
        )

    def describe(self) -> str:
        """One line for the log: how the image gets onto the grid."""
        if self._shift is not None:
            return f"{self.name}: read as it is, from row {self._shift.rows} and column {self._shift.cols}"
        block_y, block_x = self._blocks
        averaged = f" after averaging {block_y} x {block_x} pixels" if block_y * block_x > 1 else ""
        return f"{self.name}: interpolated by a windowed sinc{averaged}"

    @cached_property
    def _shift(self) -> LatticeShift | None:
        return lattice_shift(self.image.grid, self.grid)

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """Rows and columns of the image for one pixel of the grid, at its centre."""
        row, col = self.grid.shape.y // 2, self.grid.shape.x // 2
        rows, cols = _project(
            self.image.grid, self.grid, np.array([[row, row], [row + 1, row]]), np.array([[col, col + 1], [col, col]])
        )
        return tuple(float(np.hypot(p[0, 1] - p[0, 0], p[1, 0] - p[0, 0])) for p in (rows, cols))

    @cached_property
    def _blocks(self) -> tuple[int, int]:
        return tuple(max(1, int(scale + 0.01)) for scale in self._scale)

    @cached_property
    def _residual_scale(self) -> tuple[float, float]:
        residual = (scale / block for scale, block in zip(self._scale, self._blocks, strict=True))
        return tuple(scale if scale > _SHARP else 1.0 for scale in residual)


def source_positions(source: GeoBox, grid: GeoBox, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of a box of `grid` lie in `source`.

    Returns rows and columns, float64 of the shape of the box, in pixels of `source` whose centres have whole
    numbers; NaN where there is no projection. Positions go through the projection at every sixteenth pixel of
    the grid and are linear between: for UTM zones and 10 m pixels this is right to 1/10000 pixel.
    """
    node_rows = np.arange(box.top // _NODE, -(-box.bottom // _NODE) + 1)
    node_cols = np.arange(box.left // _NODE, -(-box.right // _NODE) + 1)
    nodes = _project(source, grid, *(a * _NODE for a in np.meshgrid(node_rows, node_cols, indexing="ij")))
    row, col = np.arange(box.top, box.bottom), np.arange(box.left, box.right)
    i, j = row // _NODE - node_rows[0], col // _NODE - node_cols[0]
    down, right = (row % _NODE / _NODE)[:, None], (col % _NODE / _NODE)[None, :]
    positions = []
    for node in nodes:
        above = node[i][:, j] * (1 - right) + node[i][:, j + 1] * right
        below = node[i + 1][:, j] * (1 - right) + node[i + 1][:, j + 1] * right
        positions.append(above * (1 - down) + below * down)
    return positions[0], positions[1]


def _project(source: GeoBox, grid: GeoBox, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres of `grid` as pixel centres of `source`, through the projection."""
    centre = Affine.translation(0.5, 0.5)
    if source.crs == grid.crs:
        cols, rows = (~(source.affine @ centre) @ grid.affine @ centre) @ (cols, rows)
        return rows, cols
    x, y = (grid.affine @ centre) @ (cols, rows)
    x, y = grid.crs.transformer_to_crs(source.crs)(x, y)
    bad = ~(np.isfinite(x) & np.isfinite(y))
    if source.crs.geographic:  # an image may cross 180 degrees, or count from 0 to 360
        middle = (source.affine @ (source.shape.x / 2, source.shape.y / 2))[0]
        x = beside(x, middle)
    cols, rows = ~(source.affine @ centre) @ (np.where(bad, np.nan, x), np.where(bad, np.nan, y))
    return rows, cols


def _span(positions: np.ndarray, limit: int, margin: int) -> tuple[int, int]:
    """First and last + 1 pixel that the positions need, kept near the image (0 to `limit`)."""
    finite = positions[np.isfinite(positions)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    first = int(np.clip(np.floor(low) - margin, -margin, limit))
    return first, max(first, int(np.clip(np.ceil(high) + margin + 1, 0, limit + margin)))


def _block_means(values: np.ndarray, reason: np.ndarray, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    if rows * cols == 1:
        return values, reason
    shape = (values.shape[0] // rows, rows, values.shape[1] // cols, cols)
    return values.reshape(shape).mean(axis=(1, 3)), reason.reshape(shape).max(axis=(1, 3))
