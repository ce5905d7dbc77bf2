"""Co-registered stacks of SNAP in its Zarr (version 2): folders .znap, one or several dates each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from groundshift.errors import InputError
from groundshift.io.stacks.lazy import Windows, tie_points, without, zarr_array
from groundshift.io.stacks.parts import assemble
from groundshift.io.stacks.snap import Product, snap_parts
from groundshift.io.stacks.supplement import Supplement

LAYOUT = "znap"


def matches(path: Path) -> bool:
    """Whether it is a .znap folder, or a folder with some."""
    return len(_znaps(path)) > 0


def open_znap(path: str | Path, supplement: Supplement | None = None) -> xr.Dataset:
    """Open a stack in the Zarr of SNAP, one or several products, lazily.

    Raises
    ------
    InputError
        If dates, sizes or geometry do not do.
    """
    products = [_znap(each) for each in _znaps(Path(path))]
    return assemble(snap_parts(Path(path), LAYOUT, products, supplement or Supplement()), supplement)


def _znaps(path: Path) -> list[Path]:
    if path.suffix == ".znap":
        return [path] if path.is_dir() else []
    return sorted(path.glob("*.znap")) if path.is_dir() else []


def _znap(path: Path) -> Product:
    try:
        group = zarr.open_group(path, mode="r", zarr_format=2)
        said = dict(group.attrs)
        bands, ties = {}, {}
        for name, array in group.arrays():
            about = dict(array.attrs)
            if "subsampling_x" in about:
                ties[name] = _znap_ties(path / name, about)
            else:
                nodata = None if name[:2] in ("i_", "q_") else about.get("_FillValue", about.get("missing_value"))
                bands[name] = partial(_znap_band, path / name, None if nodata is None else float(nodata))
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be read as Zarr of version 2 ({type(error).__name__}: {error}); copy the whole folder"
        ) from error
    derived = "BandMath" in f"{said.get('product_type', '')}{said.get('product_name', '')}"
    return Product(path, bands, ties, said.get("product_name", path.stem), derived)


def _znap_band(path: Path, nodata: float | None) -> Windows:
    return without(zarr_array(path), nodata)


def _znap_ties(path: Path, said: Mapping[str, Any]) -> Callable[[tuple[int, int]], Windows]:
    offset, step = ((float(said[f"{name}_y"]), float(said[f"{name}_x"])) for name in ("offset", "subsampling"))

    def windows(shape: tuple[int, int]) -> Windows:
        return tie_points(
            zarr_array(path)[:, :], offset=(offset[0] - 0.5, offset[1] - 0.5), step=step, shape=shape,
            longitude=path.name == "longitude",
        )  # fmt: skip

    return windows
