"""Finished tiles seen as one array."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from groundshift.engine.store import TileStore
from groundshift.grid.tiles import Box, Tile


def read_box(store: TileStore, tiles: Iterable[Tile], box: Box) -> tuple[Box, dict[str, np.ndarray]]:
    """The part of a box that finished tiles cover, put together from them.

    Parameters
    ----------
    store
        Where the tiles are; every array of a tile has the shape of its box.
    tiles
        All tiles of the plan, which leave no gaps.
    box
        What to read; it may reach beyond the plan, and is clipped to it.

    Returns
    -------
    The clipped box, and the arrays by name.

    Raises
    ------
    RunError
        If a tile is not in the store.
    """
    tiles = list(tiles)
    box = box.clipped((max(tile.box.bottom for tile in tiles), max(tile.box.right for tile in tiles)))
    arrays: dict[str, np.ndarray] = {}
    for tile in tiles:
        part = Box(
            max(box.top, tile.box.top),
            max(box.left, tile.box.left),
            min(box.bottom, tile.box.bottom),
            min(box.right, tile.box.right),
        )
        if min(part.shape) <= 0:
            continue
        for name, values in store.read(tile.index).items():
            whole = arrays.setdefault(name, np.empty(box.shape, values.dtype))
            whole[part.shifted(-box.top, -box.left).slices] = values[part.shifted(-tile.box.top, -tile.box.left).slices]
    return box, arrays
