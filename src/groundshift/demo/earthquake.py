"""An earthquake in two optical images: simulated, measured, and held against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
import xarray as xr
from pyproj import CRS

from groundshift.errors import ConfigurationError
from groundshift.figures.comparison import comparison_figure
from groundshift.figures.profile import profile_figure
from groundshift.figures.style import save_figure
from groundshift.io import read_map, write_image, write_json
from groundshift.io.features import Features, write_features
from groundshift.model.displacement import displacement_map
from groundshift.optical.pair import MAP_NAME, measure_pair
from groundshift.optical.profile import Offset, offset_curve, swath_profile, write_profiles
from groundshift.synth.demo import SimulatedPair, demo_pair
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import MARGIN, score

_LENGTH = 3000.0  # metres: of the profile across the fault
_SPACING = 250.0  # metres: of the offsets along it
_WIDTH = 1250.0  # metres: of the swath in the middle of the fault
_LEAST = {"frequency": 256}  # pixels: images in which windows leave enough on either side of the fault for its profile


def run_earthquake(out: str | Path, *, method: str = "auto", seed: int = 1, size: int = 512) -> str:
    """Write a simulated pair, its map, pictures and numbers against the truth into a folder.

    Returns
    -------
    What was found, in plain text.

    Raises
    ------
    ConfigurationError
        If the images are too small for the method.
    """
    if size < (least := _LEAST.get(method, 0)):
        raise ConfigurationError(
            f"images of {size} pixels are too small for a profile of what {method} measures in windows; give a size of "
            f"{least} or more, or another method"
        )
    out = Path(out)
    pair = demo_pair(seed=seed, size=size)
    write_image(out / "pre.tif", pair.pre, pair.grid, date=pair.date_pre)
    write_image(out / "post.tif", pair.post, pair.grid, date=pair.date_post)
    write_features(out / "trace.geojson", _trace(pair))
    measure_pair(out / "pre.tif", out / "post.tif", method=method, out=out)
    dataset = read_map(out / MAP_NAME)

    size_x, size_y = pair.grid.affine.a, -pair.grid.affine.e
    flow, sigma = pixel_flow(dataset, pair.pre.shape)
    scores = score(flow, np.stack([pair.east / size_x, -pair.north / size_y]), pair.distance, sigma)
    metres = np.array([size_x, -size_y])[:, None, None]
    truth, measured = np.stack([pair.east, pair.north]), flow * metres
    inner = np.s_[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    measured = measured - np.nanmedian((measured - truth)[inner], axis=(1, 2))[:, None, None]
    title = f"Simulated rupture: mean error {scores.epe:.3f} pixels, {scores.near:.3f} within 16 pixels of the fault"
    figure = comparison_figure(truth, measured, sigma * abs(metres), resolution=size_x, title=title, margin=MARGIN)
    save_figure(figure, out / "comparison.png")

    write_profiles(out / MAP_NAME, out / "trace.geojson", out, length=_LENGTH, width=_WIDTH, spacing=_SPACING)
    maps = dataset, _true_map(pair, dataset.attrs)
    profile, true = (swath_profile(each, pair.trace, length=_LENGTH, width=_WIDTH) for each in maps)
    curve, true_curve = (offset_curve(each, pair.trace, spacing=_SPACING, length=_LENGTH) for each in maps)
    save_figure(profile_figure(profile, curve, truth=true_curve), out / "profile.png")
    write_json(out / "scores.json", scores.__dict__)
    return "\n".join(
        [
            f"error against the truth: {scores.epe:.3f} pixels on average ({scores.epe * size_x:.2f} m), "
            f"{scores.near:.3f} within 16 pixels of the fault, {scores.far:.3f} beyond 32",
            f"measured: {100 * scores.coverage:.1f} % of the pixels; variance of standardised errors "
            f"{scores.variance_x:.2f} (east), {scores.variance_y:.2f} (north); 1 is right",
            f"offset at the middle of the trace: {_said(profile.offset, true.offset)}",
            f"pictures in {out}: quicklook.png, comparison.png, profile.png; the map is {out / MAP_NAME}",
        ]
    )


def _trace(pair: SimulatedPair) -> Features:
    """The rupture at the surface, as a line."""
    name = pa.table({"name": ["simulated surface rupture"]})
    return Features(np.array([shapely.LineString(pair.trace)], object), name, CRS(str(pair.grid.crs)))


def _true_map(pair: SimulatedPair, attributes: dict) -> xr.Dataset:
    """The map that a measurement without error would be."""
    tiny = np.full(pair.east.shape, 1e-6, np.float32)
    layers = {
        "east": pair.east, "north": pair.north, "east_sigma": tiny, "north_sigma": tiny,
        "quality": np.ones_like(tiny), "reason": np.zeros(tiny.shape, np.uint8),
    }  # fmt: skip
    return displacement_map(layers, pair.grid, attributes)


def _said(found: Offset, true: Offset) -> str:
    return ", ".join(
        f"{name.replace('_', '-')} {getattr(found, name):+.2f} ± {getattr(found, f'{name}_sigma'):.2f} m "
        f"(true {getattr(true, name):+.2f})"
        for name in ("right_lateral", "opening")
    )
