"""Unwrapped interferograms of a simulated stack, on a map: what enters `groundshift invert`, with its truth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundshift.io.interferograms_write import UnwrappedPair, write_interferograms
from groundshift.io.radar_stack import CHUNK
from groundshift.io.stacks.simulated import utm_of
from groundshift.synth.radar.stack import Simulation

INTERFEROGRAMS = "interferograms"
"""What they are called in the folder of a simulation."""

_LEAST = 0.5  # of the pixels that cells have in the middle: with fewer, a cell is at the border, and empty


class Cells(NamedTuple):
    """Sums over the pixels of a stack in each cell of a map, the last axes (y, x)."""

    grid: GeoBox
    pixels: np.ndarray  # float64 (y, x): how many
    products: np.ndarray  # complex64 (pairs, y, x): of the earlier × conj(the later)
    power: np.ndarray  # float64 (time, y, x)
    phase: np.ndarray  # float64 (time, y, x): true phase of reference × conj(secondary), radians
    layers: np.ndarray  # float64 (4, y, x): look east, north, up, and height, m


def date_pairs(dates: int, following: int) -> np.ndarray:
    """Each date with the next ones, int (pairs, 2)."""
    return np.array([(a, b) for a in range(dates) for b in range(a + 1, min(a + 1 + following, dates))], int)


def simulate_interferograms(
    folder: str | Path, simulation: Simulation, *, following: int = 3, spacing: float = 50.0
) -> Path:
    """Write the unwrapped interferograms of a simulated stack, as LiCSAR does.

    Pixels are multiplied and summed in the cells of a map, so that phases have the noise, and coherences the values,
    that the scatterers give. Cycles are those of the truth, as of an unwrapping without errors: what is added to the
    true phase of a cell is within half a cycle. Memory holds 8 bytes an interferogram and cell.

    Parameters
    ----------
    folder
        Of the simulation; the result is `interferograms` in it, which must not exist.
    simulation
        As of :func:`~groundshift.synth.radar.stack.write_simulation`.
    following
        Each date is joined with so many next ones.
    spacing
        Side of a cell, m, in the UTM zone of the middle.

    Returns
    -------
    The folder that was written.
    """
    path, attributes = Path(folder) / INTERFEROGRAMS, simulation.stack.attrs
    days = simulation.stack["time"].values.astype("datetime64[D]")
    pairs = date_pairs(len(days), following)
    cells = _sums(simulation, pairs, spacing)
    known = cells.pixels >= _LEAST * np.median(cells.pixels[cells.pixels > 0])
    mean = np.where(known, cells.layers, np.nan) / np.maximum(cells.pixels, 1)
    frame = f"{attributes['track']:03d}{attributes['orbit'][0].upper()}_00001_000001"
    write_interferograms(
        path, cells.grid, _unwrapped(cells, days, pairs, known), frame=frame, look=mean[:3], height=mean[3]
    )
    return path


def _unwrapped(cells: Cells, days: np.ndarray, pairs: np.ndarray, known: np.ndarray) -> Iterator[UnwrappedPair]:
    for (first, second), product in zip(pairs, cells.products, strict=True):
        true = (cells.phase[second] - cells.phase[first]) / np.maximum(cells.pixels, 1)
        phase = true + np.angle(product * np.exp(-1j * true))
        coherence = np.abs(product) / np.sqrt(np.maximum(cells.power[first] * cells.power[second], 1e-30))
        yield UnwrappedPair((days[first], days[second]), np.where(known, phase, np.nan), np.where(known, coherence, 0))


def _sums(simulation: Simulation, pairs: np.ndarray, spacing: float) -> Cells:
    stack, truth = simulation
    crs = utm_of(*(float(stack[name].mean()) for name in ("latitude", "longitude")))
    to_map = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_map.transform(stack["longitude"].values, stack["latitude"].values)
    west, north = np.floor(x.min() / spacing), np.ceil(y.max() / spacing)  # in cells
    column, row = np.floor(x / spacing - west).astype(int), np.floor(north - y / spacing).astype(int)
    shape = int(row.max()) + 1, int(column.max()) + 1
    grid = GeoBox(shape, Affine(spacing, 0, west * spacing, 0, -spacing, north * spacing), crs)
    cell = row * shape[1] + column
    dates, size = stack.sizes["time"], shape[0] * shape[1]
    pixels, power, phase = np.zeros(size), np.zeros((dates, size)), np.zeros((dates, size))
    products, layers = np.zeros((len(pairs), size), np.complex64), np.zeros((4, size))
    for top in range(0, stack.sizes["y"], CHUNK):
        for left in range(0, stack.sizes["x"], CHUNK):
            part = {"y": slice(top, top + CHUNK), "x": slice(left, left + CHUNK)}
            here, seen = np.unique(cell[part["y"], part["x"]], return_inverse=True)
            images, true = stack.isel(part), truth.isel(part)
            summed = partial(_summed, seen.ravel(), len(here))
            slc, moved = images["slc"].values, _true_phase(images, true)
            pixels[here] += summed(np.ones(slc[0].shape))
            for date in range(dates):
                power[date, here] += summed(np.abs(slc[date]) ** 2)
                phase[date, here] += summed(moved[date])
            for number, (first, second) in enumerate(pairs):
                product = slc[first] * slc[second].conj()
                products[number, here] += summed(product.real) + 1j * summed(product.imag)
            for number, name in enumerate(("los_east", "los_north", "los_up", "height")):
                layers[number, here] += summed(images[name].values)
    return Cells(grid, *(each.reshape(*each.shape[:-1], *shape) for each in (pixels, products, power, phase, layers)))


def _true_phase(stack: xr.Dataset, truth: xr.Dataset) -> np.ndarray:
    """Of reference × conj(secondary), radians, (time, y, x)."""
    delay = sum(truth[name].values for name in ("turbulent", "stratified", "ramp"))
    metres = truth["height_error"].values / (stack.attrs["slant_range"] * np.sin(np.radians(stack["incidence"].values)))
    seen = 1000 * stack["perpendicular_baseline"].values[:, None, None] * metres
    return 4 * np.pi / (1000 * stack.attrs["wavelength"]) * (delay + seen - truth["displacement"].values)


def _summed(place: np.ndarray, many: int, values: np.ndarray) -> np.ndarray:
    return np.bincount(place, values.ravel(), many)
