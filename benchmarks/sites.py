"""How right sigmas are from site to site: simulated ruptures on pairs of two dates, with one band and with two.

Each sample is made twice, of either band, with the same motion at the same place. The images lie as they do: no
geometry of a simulated sensor is added to what is between them.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

from benchmarks.table import heading, line
from groundshift.io.samples import Sample
from groundshift.io.vectors import read_traces
from groundshift.optical.pair import measure_pair
from groundshift.synth.options import PairOptions
from groundshift.synth.pairs import RealPairs, make_sample
from groundshift.synth.real_pairs import ImagePair, select_pairs
from groundshift.synth.selection import find_images, group_sites
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import Scores, mean, score

BANDS = ("B04", "B08")
_OPTIONS = PairOptions(size=384, kinds={"earthquake": 1}, added_geometry=0.0)
_SEED = 77


def main(images: Path, traces: Path, samples: int = 14) -> None:
    """A table of means over the samples of each site, and over all sites."""
    shapes = read_traces(traces)
    print(heading(f"{'':28}"))
    found: dict[str, list[Scores]] = {}
    for site in group_sites(find_images(images)):
        pairs = {pair.band: pair for pair in select_pairs([site]).pairs}
        if not set(BANDS) <= set(pairs):
            continue
        made = [_scores(pairs, np.random.SeedSequence(_SEED, spawn_key=(zlib.crc32(site.name.encode()), k)), shapes)
                for k in range(samples)]  # fmt: skip
        for name in (*BANDS, "both"):
            found.setdefault(name, []).append(here := mean(each[name] for each in made if each))
            print(line(f"{site.name:20}{name:8}", here), flush=True)
    for name, means in found.items():
        print(line(f"{f'{len(means)} sites':20}{name:8}", mean(means)))


def _scores(pairs: dict[str, ImagePair], seed: np.random.SeedSequence, traces) -> dict[str, Scores]:
    """Scores with each band and with both; none if the bands do not show the same ground."""
    made = {band: make_sample(_OPTIONS, RealPairs((pairs[band],)), seed, traces=traces) for band in BANDS}
    first, second = made.values()
    if any(first.record["scene"][side] != second.record["scene"][side] for side in ("top", "left")):
        return {}
    valid = first.valid & second.valid
    images = [_bands(made, name, pairs[BANDS[0]].grid) for name in ("pre", "post")]
    found = {}
    for name, band in (*((each, each) for each in BANDS), ("both", list(BANDS))):
        dataset = measure_pair(*images, method="network", band=band, executor="serial")
        flow, sigma = pixel_flow(dataset, valid.shape)
        found[name] = score(np.where(valid, flow, np.nan), first.flow, first.distance, sigma)
    return found


def _bands(made: dict[str, Sample], name: str, grid: GeoBox) -> xr.DataArray:
    arrays = [wrap_xr(getattr(made[band], name), grid[: _OPTIONS.size, : _OPTIONS.size], nodata=0) for band in BANDS]
    return xr.concat(arrays, "band").assign_coords(band=list(BANDS))
