"""Co-registered stacks of radar images as other programs write them: one module a family, one way to open any.

Signs, names and units of a layout are translated when it is opened; what comes out is the stack of
:mod:`groundshift.model.radar_stack`, lazy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from groundshift.errors import InputError
from groundshift.io.radar_stack import open_stack, write_stack
from groundshift.io.stacks.dimap import matches as matches_dimap
from groundshift.io.stacks.dimap import open_dimap
from groundshift.io.stacks.geotiff import matches as matches_geotiff
from groundshift.io.stacks.geotiff import open_geotiff, write_geotiff
from groundshift.io.stacks.isce2 import matches as matches_isce2
from groundshift.io.stacks.isce2 import open_isce2, write_isce2
from groundshift.io.stacks.nisar import matches as matches_nisar
from groundshift.io.stacks.nisar import open_nisar, write_nisar
from groundshift.io.stacks.opera import matches as matches_opera
from groundshift.io.stacks.opera import open_opera, write_opera
from groundshift.io.stacks.simulated import geocoded
from groundshift.io.stacks.snap_write import write_dimap, write_znap
from groundshift.io.stacks.supplement import Supplement, read_attributes
from groundshift.io.stacks.znap import matches as matches_znap
from groundshift.io.stacks.znap import open_znap

__all__ = [
    "LAYOUTS",
    "MAPPED",
    "Layout",
    "Supplement",
    "files_of",
    "geocoded",
    "open_any_stack",
    "read_attributes",
    "write_any_stack",
]


class Layout(NamedTuple):
    """How stacks of one family are known, opened and written."""

    matches: Callable[[Path], bool]
    open: Callable[..., xr.Dataset]  # path, supplement
    write: Callable[[Path, xr.Dataset], None]
    said: str  # for people


def _is_zarr(path: Path) -> bool:
    return (path / "zarr.json").is_file()


def _open_zarr(path: Path, supplement: Supplement | None = None) -> xr.Dataset:
    if supplement not in (None, Supplement()):
        raise InputError(f"{path} is a stack of groundshift, which says all of itself; nothing can be given beside it")
    return open_stack(path)


LAYOUTS: dict[str, Layout] = {
    "zarr": Layout(_is_zarr, _open_zarr, write_stack, "Zarr of groundshift"),
    "opera": Layout(matches_opera, open_opera, write_opera, "OPERA CSLC-S1 or COMPASS, HDF5"),
    "nisar": Layout(matches_nisar, open_nisar, write_nisar, "NISAR GSLC, HDF5"),
    "isce2": Layout(matches_isce2, open_isce2, write_isce2, "ISCE2 stack, folder with merged/SLC"),
    "snap": Layout(matches_dimap, open_dimap, write_dimap, "SNAP, BEAM-DIMAP (.dim)"),
    "znap": Layout(matches_znap, open_znap, write_znap, "SNAP, Zarr (.znap)"),
    "geotiff": Layout(matches_geotiff, open_geotiff, write_geotiff, "complex GeoTIFFs with a date in the name"),
}
"""All layouts by name, in the order in which a folder is tried."""

MAPPED = ("opera", "nisar")
"""Layouts that are on a map, whatever the stack."""


def open_any_stack(path: str | Path, *, supplement: Supplement | None = None, layout: str | None = None) -> xr.Dataset:
    """Open a stack of any layout that is known, lazily, as :mod:`groundshift.model.radar_stack` describes.

    Parameters
    ----------
    path
        Folder, or file of a product.
    supplement
        What the files do not say: baselines, geometry, heights, attributes.
    layout
        A key of :data:`LAYOUTS`; found out if not given.

    Raises
    ------
    InputError
        If there is nothing, its layout is not known, or dates, sizes or geometry do not do.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; expected a folder of co-registered radar images, check the path")
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"layout {layout!r} is not known; give one of {', '.join(LAYOUTS)}")
    found = layout or next((name for name, each in LAYOUTS.items() if each.matches(path)), None)
    if found is None:
        known = "; ".join(each.said for each in LAYOUTS.values())
        raise InputError(f"{path} is no stack of radar images that is known; expected one of: {known}")
    return LAYOUTS[found].open(path, supplement)


def files_of(path: str | Path) -> list[Path]:
    """Files and folders that a stack at a path is read from: it, and what its layout keeps beside it."""
    path = Path(path)
    if path.suffix == ".dim":
        beside = [path.with_suffix(".data")]
    elif path.is_dir() and (path / "SLC").is_dir():  # the folder `merged` of ISCE2
        beside = [path.parent / name for name in ("reference", "master", "baselines")]
    else:
        beside = [path.parent / "height.tif"] if path.suffix == ".h5" else []
    return [path, *(each for each in beside if each.exists())]


def write_any_stack(path: str | Path, stack: xr.Dataset, layout: str) -> None:
    """Write a stack in a layout of :data:`LAYOUTS`: the whole folder or none.

    For :data:`MAPPED` layouts a stack that is not on a map is put on one, by :func:`geocoded`.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r} is not known; give one of {', '.join(LAYOUTS)}")
    if layout in MAPPED and "easting" not in stack.coords:
        stack = geocoded(stack)
    LAYOUTS[layout].write(Path(path), stack)
