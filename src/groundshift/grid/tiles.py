"""Boxes of pixels, and the plan that cuts a grid into tiles."""

from __future__ import annotations

from typing import NamedTuple

from groundshift.errors import ConfigurationError


class Box(NamedTuple):
    """A box of whole pixels, half-open: rows `top` to `bottom - 1`, columns `left` to `right - 1`."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index that cuts the box out of an array (y, x); the box must lie inside the array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def padded(self, pixels: int) -> Box:
        """The box with a halo of `pixels` on every side; it may reach beyond the grid."""
        return Box(self.top - pixels, self.left - pixels, self.bottom + pixels, self.right + pixels)

    def clipped(self, shape: tuple[int, int]) -> Box:
        """The part of the box inside a grid of `shape`; empty (a side of 0 pixels) if there is none."""
        top, left = (min(max(start, 0), size) for start, size in zip(self[:2], shape, strict=True))
        bottom, right = (min(max(stop, 0), size) for stop, size in zip(self[2:], shape, strict=True))
        return Box(top, left, bottom, right)

    def shifted(self, dy: int, dx: int) -> Box:
        """The box moved `dy` rows down and `dx` columns to the right.

        `box.shifted(-outer.top, -outer.left)` is the box as seen from the upper left corner of `outer`.
        """
        return Box(self.top + dy, self.left + dx, self.bottom + dy, self.right + dx)


class Tile(NamedTuple):
    """One piece of work: its number in the plan, and the pixels whose result it gives.

    A step that needs a margin asks for it itself: `tile.box.padded(halo).clipped(shape)`.
    """

    index: int
    box: Box


def tile_plan(shape: tuple[int, int], size: int) -> list[Tile]:
    """Cut a grid into square tiles, row by row; every pixel lies in exactly one.

    Parameters
    ----------
    shape
        Rows and columns of the grid.
    size
        Side of a tile, pixels; the last tile of a row or column may be smaller.

    Raises
    ------
    ConfigurationError
        If `size` is less than 1.
    """
    if size < 1:
        raise ConfigurationError(f"a tile of {size} pixels was asked for; give 1 or more")
    corners = ((top, left) for top in range(0, shape[0], size) for left in range(0, shape[1], size))
    return [
        Tile(index, Box(top, left, top + size, left + size).clipped(shape)) for index, (top, left) in enumerate(corners)
    ]
