"""Errors of east, north and up over time of ground that moves: `python -m benchmarks.fuse_series [OUT [CASE …]]`.

A glacier and afterslip, seen by optical pairs that overlap in time, two tracks of radar, and stations, are solved from
radar alone, from optical maps and stations, date by date (a chain of maps added up to each date, fused with the
radar and the stations of that date), and as one network in time. Prints root mean squares of errors on four dates, and
mean squares of errors standardised by the covariance; with OUT, writes a picture of each case. Seeds from 100 on were
used while the method was made; those used if none are given were not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from groundshift.errors import InputError
from groundshift.figures.fusion_series import series_figure
from groundshift.figures.style import save_figure
from groundshift.model.displacement import displacement_map
from groundshift.model.reason import Reason
from groundshift.products.fuse import OpticalMap, RadarPoints, SeriesConfig, Stations, fuse, fuse_series
from groundshift.products.fuse.config import SourceErrors
from groundshift.synth.moving_ground import GroundOptions, MovingGround, simulate_ground

NAMES = ("east", "north", "up")
PAIRS = {(0, 1): "east_north", (0, 2): "east_up", (1, 2): "north_up"}
OPTICAL = SourceErrors(offset=3.0, ramp=1.0, correlated=0.5, length=4_000)  # of images of 10 m; not those simulated
RADAR = SourceErrors(offset=0.05, ramp=0.05, correlated=0.02, length=8_000, noise=0.002)
OPTIONS = {"side": 6_000.0, "pixel": 250.0, "days": 552, "image_length": 2_000.0}
NETWORK = "**all, as a network**"
CASES, SEEDS, DATES = ("glacier", "afterslip"), (1, 2, 3), 4


def chain(made: MovingGround, first: np.datetime64, last: np.datetime64) -> xr.Dataset:
    """Maps added up from the first image to the one nearest to a day, by pairs as long as there are."""
    links: dict[str, dict[str, xr.Dataset]] = {}
    for each in made.optical:
        links.setdefault(each.attrs["date_pre"], {})[each.attrs["date_post"]] = each
    image = min(links)
    images = sorted({each.attrs["date_post"] for each in made.optical})
    target = min(images, key=lambda text: abs(np.datetime64(text) - last))
    total, square, begin = np.zeros((2, *made.grid.shape)), np.zeros((2, *made.grid.shape)), image
    while image < target:
        following = max((text for text in links.get(image, {}) if text <= target), default=None)
        if following is None:
            break
        for k, name in enumerate(NAMES[:2]):
            total[k] += links[image][following][name].values
            square[k] += links[image][following][f"{name}_sigma"].values ** 2
        image = following
    missing = ~np.isfinite(total).all(axis=0)
    layers = {name: np.where(missing, np.nan, each) for name, each in zip(NAMES, total, strict=False)}
    layers |= {f"{name}_sigma": np.sqrt(each) for name, each in zip(NAMES, square, strict=False)}
    layers = {name: each.astype(np.float32) for name, each in layers.items()}
    layers |= {
        "quality": np.where(missing, np.nan, 1).astype(np.float32),
        "reason": (missing * Reason.CLOUD).astype(np.uint8),
    }
    return displacement_map(layers, made.grid, {**made.optical[0].attrs, "date_pre": begin, "date_post": image})


def layers_of(found: xr.Dataset | None, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Motion (3, …, y, x) and its covariance (3, 3, …, y, x); NaN where a component is not there."""
    motion, covariance = np.full((3, *shape), np.nan), np.full((3, 3, *shape), np.nan)
    for k, name in enumerate(NAMES):
        if found is not None and name in found:
            motion[k], covariance[k, k] = found[name].values, found[f"{name}_sigma"].values.astype(float) ** 2
    for (i, j), name in PAIRS.items():
        if found is not None and f"{name}_covariance" in found:
            covariance[i, j] = covariance[j, i] = found[f"{name}_covariance"].values
    return motion, covariance


def by_date(made: MovingGround, radar: list, stations: list, dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each date fused for itself: motion (3, time, y, x) and covariance (3, 3, time, y, x)."""
    out = []
    near = [replace(each, average=1) for each in stations]  # the glacier moves while more days are averaged
    for day in dates[1:]:
        sources = [OpticalMap(chain(made, dates[0], day), OPTICAL), *radar, *near]
        try:
            found = fuse(sources, start=dates[0], end=day, grid=made.grid, executor="serial")
        except InputError:
            found = None
        out.append(layers_of(found, tuple(made.grid.shape)))
    motion, covariance = zip(*out, strict=True)
    return np.stack(motion, axis=1), np.stack(covariance, axis=2)


def one(case: str, seed: int, out: Path | None) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, float]:
    """Errors (3, time, y, x) by way of solving, squares standardised (4, time, y, x), where it is fast, seconds."""
    made = simulate_ground(GroundOptions(case=case, seed=seed, **OPTIONS))
    optical = [OpticalMap(each, OPTICAL) for each in made.optical]
    radar, stations = [RadarPoints(each, RADAR) for each in made.radar], [Stations(list(made.stations))]
    steps = () if made.step is None else (made.step.item(),)
    config = SeriesConfig(steps=steps)
    days = np.unique([each for table in radar for each in table.parts.header.dates]).astype("datetime64[D]")
    first, last = days[1], days[-2]
    dates = first + np.linspace(0, (last - first).astype(int), DATES + 1).astype(int)
    truth = np.moveaxis(made.truth(dates[1:]) - made.truth(dates[:1]), 1, 0)
    shape = truth.shape[1:]
    how = {"dates": dates, "config": config, "grid": made.grid, "executor": "serial"}
    start = time.process_time()
    fused = fuse_series([*optical, *radar, *stations], **how)
    seconds = time.process_time() - start
    found = {
        "radar alone (north taken as 0)": layers_of(fuse_series(radar, **how), shape),
        "optical and stations": layers_of(fuse_series([*optical, *stations], **how), shape),
        "all, date by date": by_date(made, radar, stations, dates),
        NETWORK: layers_of(fused, shape),
    }
    error = {name: motion - truth for name, (motion, _) in found.items()}
    if out is not None:
        picture(out / f"fusion-series-{case}.png", made, [*optical, *radar, *stations], config)
    covariance = found[NETWORK][1]
    rest = error[NETWORK]
    squares = np.full((4, *shape), np.nan)
    squares[:3] = rest**2 / np.stack([covariance[k, k] for k in range(3)])
    whole = np.isfinite(covariance).all(axis=(0, 1))
    e, c = rest[:, whole].T, np.moveaxis(covariance[:, :, whole], -1, 0)
    squares[3, whole] = np.einsum("ni,ni->n", e, np.linalg.solve(c, e[..., None])[..., 0]) / 3
    return error, squares, made.fast, seconds


def picture(path: Path, made: MovingGround, sources: list, config: SeriesConfig) -> None:
    """Series at places, with the truth."""
    whole = fuse_series(sources, config=config, grid=made.grid, executor="serial")
    start = np.array([whole.attrs["date_pre"]], "datetime64[D]")
    truth = made.truth(whole["time"].values.astype("datetime64[D]")) - made.truth(start)
    save_figure(series_figure(whole, truth=truth), path, dpi=100)


def rms(values: np.ndarray) -> str:
    """Root mean square of what is finite."""
    good = values[np.isfinite(values)]
    return f"{np.sqrt(np.mean(good**2)):.3f}" if good.size > 50 else "–"


def mean(values: np.ndarray) -> str:
    """Mean of what is finite."""
    good = values[np.isfinite(values)]
    return f"{good.mean():.2f}" if good.size > 50 else "–"


def report(
    case: str, seeds: Sequence[int], runs: Sequence[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, float]]
):
    """Tables of what :func:`one` found."""
    print(f"\n{case}, seeds {', '.join(map(str, seeds))}\n")
    print("| | radar there: east | north | up | cells | radar lost: east | north | up | cells |\n" + "|---" * 9 + "|")
    for name in runs[0][0]:
        row = []
        for lost in (False, True):
            parts = [np.concatenate([run[0][name][k][:, run[2] == lost].ravel() for run in runs]) for k in range(3)]
            there = np.mean(np.any(np.isfinite(parts), axis=0))
            row += [*map(rms, parts), f"{100 * there:.0f} %"]
        print(f"| {name} | {' | '.join(row)} |")
    print("\nDate by date / as a network, all cells:\n\n| date | east | north | up |\n|---|---|---|---|")
    for number in range(DATES):
        ways = [
            [np.concatenate([run[0][name][k, number].ravel() for run in runs]) for k in range(3)]
            for name in ("all, date by date", NETWORK)
        ]
        row = (f"{rms(a)} / {rms(b)}" for a, b in zip(*ways, strict=True))
        print(f"| {number + 1} of {DATES} | {' | '.join(row)} |")
    print("\n| squares of standardised errors | east | north | up | all three |\n|---|---|---|---|---|")
    for lost, said in ((False, "radar there"), (True, "radar lost")):
        parts = [np.concatenate([run[1][k][:, run[2] == lost].ravel() for run in runs]) for k in range(4)]
        print(f"| {said} | {' | '.join(map(mean, parts))} |")
    for seed, run in zip(seeds, runs, strict=True):
        print(f"seed {seed}: {' '.join(map(mean, run[1]))}; {run[3]:.1f} s of processor time")


def main(out: Path | None = None, cases: Sequence[str] = CASES, seeds: Sequence[int] = SEEDS) -> None:
    """Each case with all seeds."""
    for case in cases:
        report(case, seeds, [one(case, seed, out if seed == seeds[0] else None) for seed in seeds])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:] or CASES)
