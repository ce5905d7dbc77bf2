"""A picture of a simulated stack."""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np

from groundshift.figures.radar import StackView, stack_figure
from groundshift.figures.style import save_figure
from groundshift.model.radar_stack import reference_index
from groundshift.synth.radar.stack import Simulation

_SIDE = 1200
"""Lines and pixels that a picture shows at most, from the first on."""


def draw_stack(path: str | Path, simulation: Simulation) -> None:
    """Draw mean amplitude, scatterers, velocity, and the interferogram of the reference image with the next, as PNG.

    Of a stack of more than 1,200 lines or pixels, the first so many are shown.
    """
    stack, truth = (each.isel(y=slice(_SIDE), x=slice(_SIDE)) for each in simulation)
    first = reference_index(stack)
    second = first + 1 if first + 1 < stack.sizes["time"] else first - 1
    pair = stack["slc"][first] * stack["slc"][second].conj()
    with dask.config.set(scheduler="synchronous"):
        amplitude, pair = dask.compute(np.abs(stack["slc"]).mean("time").data, pair.data)
    view = StackView(np.asarray(amplitude), truth["kind"].values, truth["velocity"].values, np.angle(pair))
    on_ground = stack.attrs["range_spacing"] / np.sin(np.radians(float(stack["incidence"].mean())))
    dates = stack["time"].values.astype("datetime64[D]")
    figure = stack_figure(
        view, kinds=truth.attrs["kinds"], aspect=stack.attrs["azimuth_spacing"] / on_ground,
        said=f"{dates[first]} to {dates[second]}",
    )  # fmt: skip
    save_figure(figure, path)
