"""How a training run goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from groundshift.figures.style import new_figure


def curves(table: Sequence[Mapping[str, float]]) -> Figure:
    """Loss, errors and calibration over the steps.

    Parameters
    ----------
    table
        Rows with `step`, `loss`, `start`, `epe`, `near` (pixels), `variance_x` and `variance_y`.
    """
    figure = new_figure(11, 3.4)
    steps = [row["step"] for row in table]
    panels = (
        ("loss", {"loss": "training"}, "loss, nats a pixel"),
        ("error", {"start": "before", "epe": "all", "near": "near the trace"}, "end-point error, pixels"),
        ("calibration", {"variance_x": "east", "variance_y": "north"}, "mean square of standardised errors"),
    )
    for place, (title, lines, unit) in enumerate(panels, 1):
        axes = figure.add_subplot(1, 3, place)
        for name, label in lines.items():
            axes.plot(steps, [row[name] for row in table], marker=".", label=label)
        if title != "loss":
            axes.set_yscale("log")
        if title == "calibration":
            axes.axhspan(0.8, 1.25, color="0.9")
        axes.set_xlabel("step")
        axes.set_ylabel(unit)
        axes.legend(frameon=False)
    return figure
