"""How errors grow with the time between two images: real pairs of ten days to three years, moved by simulated ruptures.

The second image of each pair is warped by a known rupture, in two crops. What else lies between the images is real:
season, light, building, fields, and how they were brought onto the ground, which no method can tell from motion.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from benchmarks.change import METHODS, Pixels, _joined, _mean, _measured, _part
from groundshift.figures.style import new_figure, save_figure
from groundshift.io.bench import BenchCase
from groundshift.synth.options import PairOptions
from groundshift.synth.shared import own_motion
from groundshift.synth.warp import warp_forward

BERLIN, SITES, FIELDS = "s2_berlin_native10m/berlinwest", "s2_validation_sites_10m", "naip5m/m_4709963_se_14_1"
PAIRS = {  # name: days, two images, band
    "Berlin": (10, f"{BERLIN}_1_20160529_33UUU_B04", f"{BERLIN}_2_20160608_33UUU_B04", 1),
    "fields 2017-18": (323, f"{FIELDS}_20170827", f"{FIELDS}_20180716", 2),
    "fields 2016-17": (376, f"{FIELDS}_20160816", f"{FIELDS}_20170827", 2),
    "Milano": (390, f"{SITES}/milano_1_20161228_32TNR_B04", f"{SITES}/milano_2_20180122_32TNR_B04", 1),
    "fields 2016-18": (699, f"{FIELDS}_20160816", f"{FIELDS}_20180716", 2),
    "Cupertino": (920, f"{SITES}/cupertino_1_20150918_10SEG_B04", f"{SITES}/cupertino_2_20180326_10SEG_B04", 1),
    "Pisa": (953, f"{SITES}/pisa_1_20150704_32TPP_B04", f"{SITES}/pisa_2_20180211_32TPP_B04", 1),
}  # fmt: skip
EDGES = np.array([0, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1])  # of classes of local correlation
_SIDE, _BORDER = 384, 16  # pixels
_PLACES = (0.25, 0.75)  # of the centres of the crops, along both sides
_OPTIONS = PairOptions(size=_SIDE + 2 * _BORDER, kinds={"earthquake": 1})


def main(data: Path, out: Path, methods: tuple[str, ...] = METHODS) -> None:
    """Tables and a picture from the folder of data."""
    found: dict[str, dict[str, Pixels]] = {method: {} for method in methods}
    for number, (name, (_, first, second, band)) in enumerate(PAIRS.items()):
        cases = [
            _case(data / f"{first}.tif", data / f"{second}.tif", band, place, seed=10 * number + k)
            for k, place in enumerate(_PLACES)
        ]
        for method in methods:
            pixels = _joined(_measured(*case, method) for case in cases)
            found[method][name] = pixels
            print(
                f"{name:16}{PAIRS[name][0]:5d} days  {method:14}" + "".join(f"{v:8.3f}" for v in _summary(pixels)),
                flush=True,
            )
    classes = list(itertools.pairwise(EDGES))
    print(f"\n{'local correlation':20}" + "".join(f"{low:9.2f}-{high:4.2f}" for low, high in classes))
    inside = {}
    for method, pairs in found.items():
        pixels = _joined(iter(pairs.values()))
        inside[method] = [
            _part(pixels, (pixels.correlation > low) & (pixels.correlation <= high)) for low, high in classes
        ]
        print(
            f"{method:20}"
            + "".join(f"{_mean(p.length):7.3f} {np.isfinite(p.length).mean():5.0%} " for p in inside[method])
        )
    save_figure(_figure(found, inside), out / "dates.png")


def _case(first: Path, second: Path, band: int, place: float, *, seed: int) -> tuple[BenchCase, np.ndarray, np.ndarray]:
    """A crop of both images, the second moved by a rupture of 0.5 to 2 pixels; and the motion."""
    pre, post = (_crop(path, band, place) for path in (first, second))
    moving = own_motion(np.random.default_rng(seed), _OPTIONS, "large")
    post = warp_forward(post, moving.motion.flow)
    inner = (..., *2 * (slice(_BORDER, -_BORDER),))
    flow, distance = moving.motion.on_grid(2 * (_OPTIONS.size,)), moving.distance
    return BenchCase(first.stem, first, second, flow[inner], distance[inner]), pre[inner], post[inner]


def _crop(path: Path, band: int, place: float) -> np.ndarray:
    side = _OPTIONS.size
    with rasterio.open(path) as source:
        top, left = (int(place * (length - side)) for length in source.shape)
        image = source.read(band, window=Window(left, top, side, side)).astype(np.float32)
    return np.where(image > 0, image, np.nan)


def _summary(pixels: Pixels) -> tuple[float, ...]:
    """Mean local correlation, error, error near the trace, and share measured."""
    length = pixels.length
    return _mean(pixels.correlation), _mean(length), _mean(length[pixels.near]), float(np.isfinite(length).mean())


def _figure(found: dict[str, dict[str, Pixels]], inside: dict[str, list[Pixels]]):
    figure = new_figure(11, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    for method, pairs in found.items():
        days = [PAIRS[name][0] for name in pairs]
        (line,) = left.plot(days, [_mean(p.length) for p in pairs.values()], "o", label=method)
        enough = [p for p in inside[method] if p.length.size > 1000]
        correlation, error = (
            [_mean(each) for each in part] for part in ([p.correlation for p in enough], [p.length for p in enough])
        )
        right.plot(correlation, error, "o-", color=line.get_color(), label=method)
    for name, (days, *_) in PAIRS.items():
        top = max(_mean(pairs[name].length) for pairs in found.values())
        left.annotate(
            name, (days, top), xytext=(-5, 3), textcoords="offset points", rotation=90, ha="right", fontsize=7
        )
    left.set(xlabel="days between the images", ylabel="mean end-point error, pixels", yscale="log", xscale="log")
    right.set(xlabel="local correlation of the images, motion undone", xlim=(1, 0))
    for each in (left, right):
        each.grid(alpha=0.3)
        each.legend(frameon=False)
    return figure
