"""An earthquake seen by optical images, two tracks of radar and stations: alone, and fused to three dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from groundshift.figures.fusion import fusion_figure
from groundshift.figures.style import save_figure
from groundshift.io import write_json
from groundshift.products.fuse import MAP_NAME, PICTURE_NAME, OpticalMap, RadarPoints, Stations, fuse
from groundshift.products.fuse.grid import fuse_grid
from groundshift.synth.three_dimensions import (
    OPTICAL_NAME,
    RADAR_NAMES,
    EarthquakeOptions,
    write_earthquake,
)  # fmt: skip

_COMPONENTS = ("east", "north", "up")
_CELL = 200.0  # m: four pixels of the optical map


class Fused(NamedTuple):
    """What was made."""

    displacement: Path  # displacement map: east, north, up and their covariance
    report: list[str]


def run_fusion(out: str | Path, *, seed: int = 0, side: float = 32_000.0) -> Fused:
    """Simulate an earthquake on an oblique fault, fuse all that saw it, and hold the result against the truth.

    Parameters
    ----------
    side
        Of the area, m; a whole number of cells.
    """
    out = Path(out)
    made = write_earthquake(out, EarthquakeOptions(seed=seed, side=side, length=0.58 * side))
    radar = [RadarPoints(out / name) for name in RADAR_NAMES]
    optical, stations = OpticalMap(out / OPTICAL_NAME), Stations(made.stations)
    grid = fuse_grid([optical], cell=_CELL)
    days = {"start": made.optical.attrs["date_pre"], "end": made.optical.attrs["date_post"], "grid": grid}
    rows, columns = tuple(grid.shape)
    truth = made.truth.reshape(3, rows, made.grid.shape.y // rows, columns, made.grid.shape.x // columns).mean((2, 4))
    scores = {
        "radar": _errors(fuse(radar, **days), truth),
        "optical": _errors(fuse([optical], **days), truth),
    }
    fused = fuse([optical, *radar, stations], **days, out=out)
    save_figure(fusion_figure(fused, trace=made.trace), out / PICTURE_NAME)
    scores["all"] = _errors(fused, truth)
    write_json(out / "scores.json", scores)
    return Fused(out / MAP_NAME, [_said(name, errors) for name, errors in scores.items()])


def _errors(found: xr.Dataset, truth: np.ndarray) -> dict[str, float]:
    """Root mean square error of each component in metres; that of a component which is not there is its motion."""
    out = {}
    for name, true in zip(_COMPONENTS, truth, strict=True):
        value = found[name].values if name in found else np.zeros_like(true)
        out[name] = float(np.sqrt(np.nanmean((value - true) ** 2)))
        out[f"{name}_measured"] = float(np.isfinite(value).mean()) if name in found else 0.0
    return out


def _said(name: str, errors: dict[str, float]) -> str:
    parts = [
        f"{each} {errors[each]:.3f} m" if errors[f"{each}_measured"] else f"{each} not seen ({errors[each]:.3f} m)"
        for each in _COMPONENTS
    ]
    said = {"radar": "radar alone", "optical": "optical alone", "all": "all fused, with stations"}[name]
    least = min(errors[f"{each}_measured"] or 1.0 for each in _COMPONENTS)
    return f"{said}: {', '.join(parts)}; {100 * least:.0f} % of the area"
