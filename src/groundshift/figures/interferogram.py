"""What interferograms look like: one with its coherence, and the inversion of a network of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage

from groundshift.figures.style import (
    DIVERGING,
    FIRST,
    INVALID,
    SECOND,
    SEQUENTIAL,
    TRUTH,
    new_figure,
    scale_bar,
    signed_label,
)

_WIDTH = 4.4  # inches of a map
_MOST = 800  # pixels to a side of a map; of more, every so many are drawn
_TALL = 2.2  # of its height over its width, at most


class PairView(NamedTuple):
    """Two images of a stack, averaged over a window, and what they have in common; all (y, x)."""

    amplitude: np.ndarray  # root mean square of both
    phase: np.ndarray  # radians, of reference x conj(secondary)
    coherence: np.ndarray  # 0 to 1
    pixel: tuple[float, float]  # m on the ground, height and width of a pixel
    said: str  # dates


class InversionView(NamedTuple):
    """An inverted network."""

    velocity: np.ndarray  # (y, x), mm/yr toward the satellite; NaN where there is no point
    open_share: np.ndarray  # (y, x): share of triplets that do not close
    rms: np.ndarray  # (y, x), mm: of residuals
    dates: np.ndarray  # datetime64[D] (time,)
    series: np.ndarray  # (n, time), mm: some, of which the outermost are drawn
    pairs: np.ndarray  # int (m, 2): numbers of dates
    pixel: tuple[float, float]  # m on the ground, height and width of a pixel


def interferogram(
    reference: np.ndarray, secondary: np.ndarray, *, window: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amplitude, phase and coherence of two images, from sums over a window around each pixel.

    Parameters
    ----------
    reference, secondary
        complex (y, x); 0 is no data.
    window
        Lines and pixels.

    Returns
    -------
    Root mean square amplitude of both; phase of reference × conj(secondary), radians; coherence, 0 to 1, which is too
    high where the true one is low (for L looks of none, about √(π / 4L)).
    """
    product = reference * np.conj(secondary)
    first, second = (ndimage.uniform_filter(np.abs(each) ** 2, window) for each in (reference, secondary))
    mean = ndimage.uniform_filter(product.real, window) + 1j * ndimage.uniform_filter(product.imag, window)
    power = np.sqrt(first * second)
    with np.errstate(invalid="ignore", divide="ignore"):
        coherence = np.where(power > 0, np.minimum(np.abs(mean) / power, 1), np.nan)
    return np.sqrt((first + second) / 2), np.where(power > 0, np.angle(mean), np.nan), coherence


def pair_figure(view: PairView) -> Figure:
    """Amplitude, phase and coherence of an interferogram, and the histogram of its coherence."""
    figure, aspect, height = _maps(view.coherence.shape, view.pixel, 3, beside=3.2)
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 0.8))
    decibels = 20 * np.log10(np.maximum(view.amplitude, 1e-6))
    low, high = np.nanpercentile(decibels, (2, 99.5))
    drawn = (
        ("amplitude", decibels, "dB", {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1)}),
        (f"phase, {view.said}", view.phase, "radians", {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}),
        ("coherence", view.coherence, "", {"cmap": SEQUENTIAL, "vmin": 0, "vmax": 1}),
    )
    for panel, (title, values, unit, options) in zip(panels[:3], drawn, strict=True):
        _map(figure, panel, values, aspect, view.pixel, title, unit, **options)
    known = view.coherence[np.isfinite(view.coherence)]
    panels[3].hist(known, bins=np.linspace(0, 1, 41), color=FIRST)
    panels[3].axvline(known.mean(), color=SECOND)
    panels[3].set(xlabel="coherence", ylabel="pixels", xlim=(0, 1), title=f"mean {known.mean():.2f}")
    panels[3].title.set_fontsize(9)
    panels[3].set_box_aspect(min(_TALL, height / _WIDTH) * 1.1)
    return figure


def inversion_figure(view: InversionView) -> Figure:
    """Velocity, closure and residuals of an inverted network; its dates; the series that fall and rise most."""
    step = max(1, -(-max(view.velocity.shape) // _MOST))
    thin = (view.velocity, view.open_share, view.rms)
    velocity, open_share, rms = (each[::step, ::step] for each in thin)
    view = view._replace(
        velocity=velocity, open_share=open_share, rms=rms, pixel=(step * view.pixel[0], step * view.pixel[1])
    )
    figure, aspect, _ = _maps(view.velocity.shape, view.pixel, 3, below=3.0)
    figure.clear()
    top, bottom = figure.subfigures(2, 1, height_ratios=(figure.get_figheight() - 3.0, 3.0))
    panels = top.subplots(1, 3)
    limit = _round_up(float(np.nanpercentile(np.abs(view.velocity), 98)))
    worst = max(float(np.nanmax(view.open_share, initial=0)), 0.05) if np.isfinite(view.open_share).any() else 0.05
    spread = float(np.nanpercentile(view.rms, 98)) if np.isfinite(view.rms).any() else 1.0
    drawn = (
        (
            "velocity",
            view.velocity,
            signed_label("mm/yr", "toward the satellite"),
            {"cmap": DIVERGING, "vmin": -limit, "vmax": limit},
        ),
        ("triplets that do not close", view.open_share, "share", {"cmap": SEQUENTIAL, "vmin": 0, "vmax": worst}),
        ("residuals of interferograms", view.rms, "mm", {"cmap": SEQUENTIAL, "vmin": 0, "vmax": spread}),
    )
    for panel, (title, values, unit, options) in zip(panels, drawn, strict=True):
        _map(top, panel, values, aspect, view.pixel, title, unit, **options)
    left, right = bottom.subplots(1, 2)
    _series(left, view)
    for number, (first, second) in enumerate(view.pairs):
        right.plot(view.dates[[first, second]], [number, number], color=FIRST, linewidth=1)
    right.plot(view.dates, np.full(len(view.dates), -1), "o", color=SECOND, markersize=3)
    right.set(ylabel="interferogram", title=f"{len(view.pairs)} interferograms of {len(view.dates)} dates")
    for panel in (left, right):
        panel.tick_params(axis="x", rotation=20, labelsize=8)
        panel.title.set_fontsize(9)
    return figure


def _series(panel: Axes, view: InversionView) -> None:
    if len(view.series):
        slopes = view.series @ (np.arange(view.series.shape[1]) - (view.series.shape[1] - 1) / 2)
        for name, number, colour in (("falls most", slopes.argmin(), SECOND), ("rises most", slopes.argmax(), FIRST)):
            panel.plot(view.dates, view.series[number], "o-", color=colour, markersize=3, linewidth=1, label=name)
        panel.legend(fontsize=8)
    panel.axhline(0, color=TRUTH, linewidth=0.5)
    panel.set(ylabel="mm toward the satellite", title="series of two points")


def _maps(
    shape: tuple[int, int], pixel: tuple[float, float], count: int, *, beside: float = 0.0, below: float = 0.0
) -> tuple[Figure, float, float]:
    """A figure for maps beside each other, the aspect of a pixel, and the height of a map, inches."""
    aspect = pixel[0] / pixel[1]
    height = _WIDTH * float(np.clip(aspect * shape[0] / shape[1], 0.25, _TALL))
    return new_figure(count * (_WIDTH + 0.6) + beside, height + 0.6 + below), aspect, height


def _map(
    figure: Any, panel: Axes, values: np.ndarray, aspect: float, pixel: tuple[float, float], title: str, unit: str,
    **options: Any,
) -> None:  # fmt: skip
    image = panel.imshow(np.ma.masked_invalid(values), aspect=aspect, interpolation="nearest", **options)
    panel.set(xticks=[], yticks=[], facecolor=INVALID)
    panel.set_title(title, fontsize=9)
    _bar(panel, values.shape[1] * pixel[1], pixel[1])
    figure.colorbar(image, ax=panel, label=unit, shrink=0.8)


def _round_up(value: float) -> float:
    """To one digit."""
    power = 10.0 ** np.floor(np.log10(value)) if value > 0 else 1.0
    return float(np.ceil(value / power) * power) or 1.0


def _bar(panel: Axes, width: float, metres: float) -> None:
    """A scale bar on a map whose axes are pixels: the axes are metres while it is drawn."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    over = panel.inset_axes((0, 0, 1, 1))
    over.set(xlim=(0, width), ylim=(0, abs(top - bottom) * metres), xticks=[], yticks=[], facecolor="none")
    over.axis("off")
    scale_bar(over, right - left if width <= 0 else width)
