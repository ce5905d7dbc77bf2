"""What a second band is worth: the cases of the optical benchmark with band B08 beside B04, which they are made of.

The near-infrared of the same ground and days is moved as the red was. Where the second image is the first, it gets 2 %
of noise, as that has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from rasterio.windows import from_bounds

from benchmarks.table import heading, line
from groundshift.io.bench import BenchCase, load_cases
from groundshift.optical.pair import measure_pair
from groundshift.synth.warp import warp_forward
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import Scores, mean, score

METHODS = ("network", "frequency")
_SITES = "s2_validation_sites_10m"
_CHOICES = {"B04": "B04", "B08": "B08", "both": ["B04", "B08"]}
_NOISE = 0.02


def main(folder: Path, data: Path, methods: tuple[str, ...] = METHODS) -> None:
    """A table of means over the cases of two dates and of one in `folder/cross` and `folder/same`."""
    print(heading(f"{'':28}"))
    for kind in ("cross", "same"):
        cases = [(case, *_images(case, data, one_date=kind == "same", seed=i)) for i, case in
                 enumerate(load_cases(folder / kind))]  # fmt: skip
        for method in methods:
            for name, band in _CHOICES.items():
                found = mean(_scores(*each, method=method, band=band) for each in cases)
                print(line(f"{kind:8}{method:12}{name:8}", found), flush=True)


def _images(case: BenchCase, data: Path, *, one_date: bool, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Both images with their two bands."""
    site = case.name.split("_")[-1]
    with rasterio.open(case.pre) as source:
        bounds, transform, crs = source.bounds, source.transform, source.crs
    before, after = (_window(data, site, 1 if one_date else k, bounds) for k in (1, 2))
    after = warp_forward(after, (case.flow[0], case.flow[1]))
    if one_date:
        after *= 1 + _NOISE * np.random.default_rng(seed).standard_normal(after.shape)
    images = []
    for path, other in ((case.pre, before), (case.post, after)):
        with rasterio.open(path) as source:
            array = xr.DataArray(np.stack([source.read(1), other]), dims=("band", "y", "x"))
        array = array.assign_coords(band=["B04", "B08"]).rio.write_crs(crs).rio.write_transform(transform)
        images.append(array.rio.write_nodata(0))
    return images[0], images[1]


def _window(data: Path, site: str, number: int, bounds: tuple[float, ...]) -> np.ndarray:
    (path,) = (data / _SITES).glob(f"{site}_{number}_*_B08.tif")
    with rasterio.open(path) as source:
        return source.read(1, window=from_bounds(*bounds, source.transform)).astype(np.float32)


def _scores(case: BenchCase, pre: xr.DataArray, post: xr.DataArray, *, method: str, band: str | list[str]) -> Scores:
    dataset = measure_pair(pre, post, method=method, band=band, executor="serial")
    flow, sigma = pixel_flow(dataset, case.distance.shape)
    return score(flow, case.flow, case.distance, sigma)
