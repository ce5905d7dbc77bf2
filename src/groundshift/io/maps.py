"""Displacement maps on disk: cloud-optimised GeoTIFF with named bands, units and provenance."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401  (registers the .odc accessor)
import rasterio
import rasterio.shutil
import rioxarray
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from groundshift.errors import ContractError, InputError
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io.files import jsonable
from groundshift.io.rasters import GDAL_CACHE, atomic_raster, georeference, open_raster, reading
from groundshift.model.displacement import COMPONENTS, COVARIANCES, check, layer_attributes, needed_layers
from groundshift.model.reason import Reason

_TILE = 512  # pixels: side of the tiles in the file
_LAZY = 2**25  # pixels times layers from which a map is opened lazily (128 MiB)
_LAYERS = (*COMPONENTS, *(f"{component}_sigma" for component in COMPONENTS), *COVARIANCES, "quality", "reason")
_NOT_OURS = ("AREA_OR_POINT", "OVR_RESAMPLING_ALG")


def write_map(
    path: str | Path,
    grid: GeoBox,
    blocks: Iterable[tuple[Box, Mapping[str, np.ndarray]]],
    *,
    attributes: Mapping[str, Any],
) -> None:
    """Write a displacement map block by block: the whole file or none, and the same bytes for the same map.

    The blocks are written to an uncompressed file in the folder of `path` first, which is then copied; memory
    does not grow with the map.

    Parameters
    ----------
    path
        File to write, .tif.
    grid
        Shape, affine and CRS of the map.
    blocks
        Boxes that cover the grid without overlap, each with its layers, arrays of the shape of the box: two or three
        of `east`, `north`, `up` and their sigmas (m), `quality`, `reason`, and maybe all covariances between them
        (m²). `valid` is not written: it is where `reason` is 0.
    attributes
        Provenance: text, numbers, and what JSON can hold.

    Raises
    ------
    ContractError
        If a block has other layers than the first or another shape than its box, or if the blocks do not cover
        the grid.
    """
    profile = {
        "driver": "GTiff", "dtype": "float32", "nodata": np.nan, "height": grid.shape.y, "width": grid.shape.x,
        "crs": rasterio.crs.CRS.from_user_input(str(grid.crs)), "transform": grid.affine,
        "tiled": True, "blockxsize": _TILE, "blockysize": _TILE, "bigtiff": "IF_SAFER",
    }  # fmt: skip
    iterator = iter(blocks)
    first = next(iterator, None)
    if first is None:
        raise ContractError("a displacement map needs at least one block; none came")
    layers = _layer_order(first[1])
    with atomic_raster(path) as temporary, rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE):
        tiled = temporary.with_suffix(".tiled.tif")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a grid at (0, 0) is kept too
            dataset = rasterio.open(tiled, "w", count=len(layers), **profile)
        with dataset:
            _describe_bands(dataset, layers, attributes)
            covered = _write_block(dataset, layers, *first)
            for box, block in iterator:
                covered += _write_block(dataset, layers, box, block)
        if covered != grid.shape.y * grid.shape.x:
            raise ContractError(
                f"the blocks cover {covered} pixels of {grid.shape.y * grid.shape.x}; expected each pixel once"
            )
        rasterio.shutil.copy(
            tiled, temporary, driver="COG", compress="deflate", predictor="yes", blocksize=_TILE,
            overview_resampling="nearest", bigtiff="if_safer", num_threads="all_cpus",
        )  # fmt: skip


def write_dataset(path: str | Path, dataset: xr.Dataset) -> None:
    """Write a displacement map of dimensions (y, x), lazy or in memory, by :func:`write_map`.

    Raises
    ------
    ContractError
        If the data set breaks the contract of a displacement map.
    InputError
        If it has a time dimension.
    """
    if "time" in dataset.dims:
        raise InputError(f"the map has {dataset.sizes['time']} times; expected one: write each with .isel(time=i)")
    check(dataset)
    grid = dataset.odc.geobox
    layers = [name for name in _LAYERS if name in dataset]
    blocks = (
        (tile.box, {name: dataset[name].data[tile.box.slices] for name in layers})
        for tile in tile_plan(grid.shape, 4 * _TILE)
    )
    write_map(
        path,
        grid,
        ((box, {n: np.asarray(a) for n, a in block.items()}) for box, block in blocks),
        attributes=dataset.attrs,
    )


def read_map(path: str | Path) -> xr.Dataset:
    """Read a displacement map that :func:`write_map` wrote; a large one is lazy (Dask), by tiles.

    Raises
    ------
    InputError
        If the file is missing, no raster, or no displacement map.
    ContractError
        If it breaks the contract of one, as a harmed file does.
    """
    path = str(path)
    with open_raster(path) as dataset:
        names = dataset.descriptions
        if "reason" not in names:
            raise InputError(
                f"{path} is no displacement map: {_bands(names)}; expected east, north, reason and others, as "
                "`groundshift pair` writes them"
            )
        grid = georeference(dataset)
        tags = {key: text for key, text in dataset.tags().items() if key not in _NOT_OURS}
        lazy = dataset.count * dataset.width * dataset.height >= _LAZY
        with reading(path):
            bands = None if lazy else dataset.read()
    if lazy:
        bands = rioxarray.open_rasterio(path, chunks={"band": 1, "y": 4 * _TILE, "x": 4 * _TILE}, lock=False).data
    layers = {name: bands[i] for i, name in enumerate(names)}
    with np.errstate(invalid="ignore"):  # of what a harmed file holds
        layers["reason"] = layers["reason"].astype(np.uint8)
    layers["valid"] = layers["reason"] == Reason.VALID
    attributes = {key: _from_tag(text) for key, text in tags.items()}
    quantity = attributes.get("quantity", "displacement")
    variables = {
        name: (("y", "x"), layer, {**layer_attributes(name, quantity), "grid_mapping": "spatial_ref"})
        for name, layer in layers.items()
    }
    result = xr.Dataset(variables, coords=xr_coords(grid), attrs=attributes)
    try:
        check(result.isel(y=slice(1), x=slice(1)) if lazy else result)
    except ContractError as error:
        raise ContractError(f"{path}: {error}; if it is no longer what was written, write or fetch it again") from error
    return result


def _bands(names: tuple[str | None, ...]) -> str:
    named = [name for name in names if name]
    return f"its bands are {', '.join(named)}" if named else f"its {len(names)} bands have no names"


def _layer_order(block: Mapping[str, np.ndarray]) -> list[str]:
    unknown = sorted(set(block) - set(_LAYERS))
    if unknown:
        raise ContractError(f"a displacement map has no layers {unknown}; expected some of {list(_LAYERS)}")
    layers = [name for name in _LAYERS if name in block]
    missing = {*needed_layers(layers), "reason"} - set(layers)
    if missing:
        raise ContractError(f"layers {sorted(missing)} are missing; the blocks have {layers}")
    return layers


def _write_block(
    dataset: rasterio.io.DatasetWriter, layers: list[str], box: Box, block: Mapping[str, np.ndarray]
) -> int:
    """Write one block; return how many pixels it has."""
    if set(block) != set(layers):
        raise ContractError(f"the block at {box} has layers {sorted(block)}; the first had {sorted(layers)}")
    shapes = {name: block[name].shape for name in layers if block[name].shape != box.shape}
    if shapes or box.clipped(dataset.shape) != box:
        raise ContractError(f"the block {box} of a map of {dataset.shape} has shapes {shapes or box.shape}")
    height, width = box.shape
    bands = np.stack([np.asarray(block[name], np.float32) for name in layers])
    dataset.write(bands, window=Window(box.left, box.top, width, height))
    return height * width


def _describe_bands(dataset: rasterio.io.DatasetWriter, layers: list[str], attributes: Mapping[str, Any]) -> None:
    dataset.update_tags(**{key: _to_tag(value) for key, value in attributes.items()})
    dataset.descriptions = layers
    described = [layer_attributes(name, attributes.get("quantity", "displacement")) for name in layers]
    dataset.units = [each["units"] for each in described]
    for band, each in enumerate(described, start=1):
        tags = {key: _to_tag(value) for key, value in each.items() if key != "units"}
        dataset.update_tags(band, **tags)


def _to_tag(value: Any) -> str:
    """Plain text as it is, unless it is empty or would read as JSON; all else as JSON."""
    if isinstance(value, str) and value == value.strip() != "" and _from_tag(value) == value:
        return value
    return json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)


def _from_tag(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
