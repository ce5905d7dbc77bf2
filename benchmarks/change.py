"""How errors grow as the ground changes, and fall as quality rises: methods side by side on pairs with known truth.

Change is how well the images still agree in a window around a pixel once the motion is undone: the local correlation.
It is taken as found in pairs of two dates, and made in pairs of one date by mixing other ground into the second image.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio

from groundshift.figures.style import new_figure, save_figure
from groundshift.io.bench import BenchCase, load_cases
from groundshift.kernels.gaussian import locally_standardised, smoothed
from groundshift.kernels.spline import coefficients, warp
from groundshift.optical.pair import measure_pair
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import MARGIN, NEAR, sparsification

METHODS = ("network", "dense", "gauss-newton", "frequency")
EDGES = np.array([-1, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1])  # of classes of local correlation
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)  # of the variance of the second image that is other ground
_WINDOW = 8.0  # Gaussian sigma, pixels, of the local correlation
_MOST = 0.95  # share of measurements that are left out at most


class Pixels(NamedTuple):
    """Pixels that count of some cases, 1-D; NaN where a method did not measure."""

    length: np.ndarray  # end-point error, pixels
    quality: np.ndarray  # 1 / sigma
    correlation: np.ndarray
    near: np.ndarray  # bool: within 16 pixels of the trace


def main(folder: Path, out: Path, methods: tuple[str, ...] = METHODS) -> None:
    """Table and pictures from the cases of two dates and of one in `folder/cross` and `folder/same`."""
    found = {method: _joined(_measured(case, *_images(case), method) for case in load_cases(folder / "cross"))
             for method in methods}  # fmt: skip
    made = {method: [_joined(_mixed_pixels(folder / "same", share, method)) for share in SHARES] for method in methods}
    classes = list(itertools.pairwise(EDGES))
    print(
        f"{'two dates, by local correlation':34}" + "".join(f"{max(low, 0):5.2f}-{high:4.2f}" for low, high in classes)
    )
    inside = {
        method: [_part(pixels, (pixels.correlation > low) & (pixels.correlation <= high)) for low, high in classes]
        for method, pixels in found.items()
    }
    for method, parts in inside.items():
        _print(method, parts)
    print(f"\n{'one date, other ground mixed in':34}" + "".join(f"{share:10.0%}" for share in SHARES))
    for method, steps in made.items():
        _print(method, steps)
    save_figure(_figure(inside, made), out / "change.png")
    save_figure(_sparsification(found), out / "sparsification.png")


def _images(case: BenchCase) -> tuple[np.ndarray, np.ndarray]:
    images = []
    for path in (case.pre, case.post):
        with rasterio.open(path) as source:
            image = source.read(1).astype(np.float32)
        images.append(np.where(image > 0, image, np.nan))
    return images[0], images[1]


def _mixed_pixels(folder: Path, share: float, method: str) -> Iterator[Pixels]:
    cases = load_cases(folder)
    for case, other in zip(cases, cases[1:] + cases[:1], strict=True):
        pre, post = _images(case)
        yield _measured(case, pre, _mixed(post, _images(other)[1][::-1, ::-1], share), method)


def _mixed(image: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """An image of which a share of the variance is that of another; its brightness stays."""
    mean, deviation = np.nanmean(image), np.nanstd(image)
    standard, strange = ((each - np.nanmean(each)) / np.nanstd(each) for each in (image, other))
    return (mean + deviation * (np.sqrt(1 - share) * standard + np.sqrt(share) * strange)).astype(np.float32)


def _measured(case: BenchCase, pre: np.ndarray, post: np.ndarray, method: str) -> Pixels:
    dataset = measure_pair(pre, post, method=method, registration="none", executor="serial")
    flow, sigma = pixel_flow(dataset, pre.shape)
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    error = (flow - case.flow)[:, *inner]
    offset = np.nanmedian(error, axis=(1, 2))
    correlation = _correlation(pre, post, case.flow + offset[:, None, None])[inner]
    length = np.hypot(*(error - offset[:, None, None]))
    quality = 1 / np.hypot(*sigma[:, *inner])
    return Pixels(*(each.ravel() for each in (length, quality, correlation, case.distance[inner] <= NEAR)))


def _correlation(pre: np.ndarray, post: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Local correlation of two images once the flow is undone, (y, x)."""
    weight = (np.isfinite(pre) & np.isfinite(post)).astype(np.float32)
    first, second = (np.where(np.isfinite(each), each, np.nanmean(each)).astype(np.float32) for each in (pre, post))
    moved = warp(coefficients(second), *flow.astype(np.float32))
    first, moved = (locally_standardised(each, weight, _WINDOW) for each in (first, moved))
    power = smoothed(first**2, _WINDOW) * smoothed(moved**2, _WINDOW)
    return smoothed(first * moved, _WINDOW) / np.sqrt(np.maximum(power, 1e-6))


def _joined(parts: Iterator[Pixels]) -> Pixels:
    return Pixels(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _part(pixels: Pixels, where: np.ndarray) -> Pixels:
    return Pixels(*(each[where] for each in pixels))


def _print(method: str, columns: list[Pixels]) -> None:
    rows = {
        "correlation": [_mean(each.correlation) for each in columns],
        "error": [_mean(each.length) for each in columns],
        "near the trace": [_mean(each.length[each.near]) for each in columns],
        "covered": [_mean(np.isfinite(each.length)) for each in columns],
    }
    for name, values in rows.items():
        print(f"{method:18}{name:16}" + "".join(f"{each:10.3f}" for each in values), flush=True)


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else np.nan


def _figure(inside: dict[str, list[Pixels]], made: dict[str, list[Pixels]]):
    figure = new_figure(11, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    for method in inside:
        for panel, parts in ((left, inside[method]), (right, made[method])):
            panel.plot([_mean(p.correlation) for p in parts], [_mean(p.length) for p in parts], "o-", label=method)
    left.set(title="two dates, years apart", ylabel="mean end-point error, pixels", yscale="log")
    right.set(title="one date, other ground mixed in")
    for each in (left, right):
        each.set(xlabel="local correlation of the images, motion undone", xlim=(1, 0))
        each.grid(alpha=0.3)
        each.legend(frameon=False)
    return figure


def _sparsification(found: dict[str, Pixels]):
    figure = new_figure(6, 4.2)
    panel = figure.subplots()
    shares = np.linspace(0, _MOST, 40)
    for method, pixels in found.items():
        known = np.isfinite(pixels.length)
        length, quality = pixels.length[known], pixels.quality[known]
        (line,) = panel.plot(100 * shares, sparsification(length, quality, shares), label=method)
        panel.plot(100 * shares, sparsification(length, -length, shares), ":", color=line.get_color(), linewidth=1)
    panel.set(xlabel="least certain pixels left out, %", ylabel="mean end-point error of the others, pixels")
    panel.set_ylim(bottom=0)
    panel.plot([], [], ":", color="0.4", label="if quality were the error itself")
    panel.legend(frameon=False)
    return figure
