"""What a simulated strip looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from groundshift.figures.style import DIVERGING, new_figure, save_figure, scale_bar, signed_label, symmetric_limit
from groundshift.synth.points.motion import ground_velocity, half_size, metres
from groundshift.synth.points.options import StripOptions
from groundshift.synth.points.stations import StripStations
from groundshift.synth.points.strip import BurstPoints, Frame

_SHARE = 1500  # points of a burst that are drawn, at most


class StripPicture:
    """Collects some points of each burst; then maps of the truth and of what both orbits say."""

    def __init__(self, options: StripOptions) -> None:
        self._options = options
        self._seen: dict[str, list[np.ndarray]] = {"ascending": [], "descending": []}

    def add(self, frame: Frame, burst: BurstPoints) -> None:
        """Take note of a burst."""
        step = -(-len(burst.places) // _SHARE)
        velocity = burst.table["mean_velocity"].to_numpy()
        self._seen[frame.orbit].append(np.column_stack([burst.places, velocity])[::step])

    def save(self, path: Path, made: StripStations) -> None:
        """Draw: truth east, north, up with the stations; below, the velocities of both orbits as they come."""
        figure = new_figure(13, 7.6)
        panels = figure.subplots(2, 3)
        half = half_size(self._options)
        axes = [np.linspace(-size, size, 240) for size in half]
        places = np.stack(np.meshgrid(*axes), -1)
        truth = ground_velocity(self._options, places.reshape(-1, 2)).reshape(*places.shape[:2], 3)
        extent = (-half[0], half[0], -half[1], half[1])
        limit = symmetric_limit(truth)
        for panel, values, name in zip(panels[0], np.moveaxis(truth, -1, 0), ("east", "north", "up"), strict=True):
            drawn = panel.imshow(values, DIVERGING, vmin=-limit, vmax=limit, extent=extent, origin="lower")
            for stations, mark in ((made.stations, "^"), (made.held_out, "o")):
                spots = metres(self._options, stations.latitude, stations.longitude)
                panel.plot(*spots.T, mark, color="black", markersize=3.5, markerfacecolor="none")
            _finish(panel, extent, f"truth, {name}")
        figure.colorbar(
            drawn, ax=panels[0], label="← west, south, down   mm/yr   east, north, up →", aspect=30, extend="both"
        )
        points = {orbit: np.concatenate(seen) for orbit, seen in self._seen.items()}
        limit = symmetric_limit(*(each[:, 2] for each in points.values()))
        for panel, (orbit, values) in zip(panels[1], points.items(), strict=False):
            colour = panel.scatter(*values.T[:2], c=values[:, 2], s=1, cmap=DIVERGING, vmin=-limit, vmax=limit)
            _finish(panel, extent, f"{orbit}, as it comes")
        figure.colorbar(
            colour, ax=panels[1], label=signed_label("mm/yr", "toward the satellite"), aspect=30, extend="both"
        )
        panels[1, 2].axis("off")
        for mark, said in (("^", f"{len(made.stations)} stations"), ("o", f"{len(made.held_out)} stations held out")):
            panels[1, 2].plot([], [], mark, color="black", markerfacecolor="none", label=said)
        tracks = f"{2 * self._options.tracks} tracks of {self._options.bursts} bursts, seed {self._options.seed}"
        panels[1, 2].legend(loc="center", frameon=False, title=tracks, fontsize=10)
        save_figure(figure, path)


def _finish(panel: Axes, extent: tuple[float, float, float, float], title: str) -> None:
    panel.set(
        xlim=[1.15 * each for each in extent[:2]], ylim=[1.15 * each for each in extent[2:]], xticks=[], yticks=[]
    )
    panel.set_aspect("equal")
    panel.set_title(title, fontsize=10)
    scale_bar(panel, float(np.ptp(panel.get_xlim())))
