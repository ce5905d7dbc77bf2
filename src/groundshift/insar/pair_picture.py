"""A first look at a stack: one interferogram with its coherence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from groundshift.figures.interferogram import PairView, interferogram, pair_figure
from groundshift.figures.style import save_figure
from groundshift.model.radar_stack import reference_index

_SIDE = 1500
"""Lines and pixels that are looked at, at most, in the middle."""


def draw_pair(path: str | Path, stack: xr.Dataset, *, window: tuple[int, int] = (3, 12)) -> float:
    """Draw amplitude, phase and coherence of the reference image and the next in time, as PNG.

    Of a stack of more than 1,500 lines or pixels, the middle is shown.

    Parameters
    ----------
    path
        Of the picture.
    stack
        As of :mod:`groundshift.model.radar_stack`.
    window
        Lines and pixels over which phase and coherence are averaged; 3 by 12 of Sentinel-1 are 40 m by 45 m.

    Returns
    -------
    Mean coherence, 0 to 1.
    """
    part = stack.isel(
        {
            name: slice(max(0, (size - _SIDE) // 2), (size + _SIDE) // 2)
            for name, size in stack.sizes.items()
            if name != "time"
        }
    )
    first = reference_index(stack)
    second = first + 1 if first + 1 < stack.sizes["time"] else first - 1
    pair = np.nan_to_num(part["slc"][[first, second]].values)
    amplitude, phase, coherence = interferogram(*pair, window=window)
    on_ground = stack.attrs["range_spacing"] / np.sin(np.radians(float(part["incidence"].mean())))
    days = stack["time"].values.astype("datetime64[D]")
    view = PairView(
        amplitude, phase, coherence, (stack.attrs["azimuth_spacing"], on_ground), f"{days[first]} to {days[second]}"
    )
    save_figure(pair_figure(view), path)
    return float(np.nanmean(coherence))
