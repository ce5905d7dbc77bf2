"""`groundshift basic` on simulated cities of known truth: errors, sigmas, what is found, what the filter of air does.

A city has 60 images in 4 years and 1,000 x 1,000 pixels, 14 x 4 km; six towns have 400 x 400 pixels. Errors of series,
velocities and heights are against the mean of all points of a cluster, as the product is; series also against their
model at the first date.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from scipy import ndimage

from benchmarks.height_bound import height_bounds
from groundshift.insar.basic import BasicResult, measure_points
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.motion.atmosphere import AtmosphereConfig
from groundshift.insar.stack.places import pixel_area
from groundshift.model.points import series
from groundshift.synth.radar.options import AtmosphereOptions, StackOptions
from groundshift.synth.radar.scatterers import response
from groundshift.synth.radar.stack import Simulation, open_simulation, write_simulation

CITY = {"lines": 1000, "pixels": 1000, "dates": 60, "missing": 0.6}
TOWN = {"lines": 400, "pixels": 400, "dates": 60, "missing": 0.6}
TOWNS = range(21, 27)  # seeds; constants were chosen on those of 3 and 14

_COHERENT = 0.7
_STRONG = 10.0  # dB
_CYCLE = 55.465763 / 2  # mm: within half of it of the median of its errors, a value has the right cycle
_REACH = 8  # pixels, of the simulated response to a scatterer
_NEAR = 3  # pixels around a point in which its scatterer is looked for
_MOST, _ALONE = 0.5, 10 / 11  # of the energy
MEAN = "all persistent, coherence > 0.7, heights against the mean by energy"
_BLUR = 3  # pixels, that land is seen in water


class Errors(NamedTuple):
    """Errors of points against the truth at their pixels."""

    points: int
    velocity: float  # root mean square, mm/yr
    displacement: float  # mm
    height: float  # m
    right: float  # share of series without a wrong cycle
    standardised: tuple[float, float, float]  # mean squares of velocity, displacement, height by their sigmas


class Seen(NamedTuple):
    """What pixels hold."""

    share: np.ndarray  # of the energy, that the brightest scatterer gives
    away: np.ndarray  # int (2, n): lines and pixels to it
    ratio: np.ndarray  # its signal to the clutter of the pixel
    centre: np.ndarray  # mean height error by energy, m


class Detection(NamedTuple):
    """What was found, and what should not have been."""

    strong: int  # true scatterers above 10 dB
    found: float  # share of them with a persistent scatterer within a pixel
    noise: int  # pixels of water that the response to scatterers and land does not reach
    false: int  # points on them
    shore: int  # other pixels of water
    shore_points: int  # points on them


class Truth(NamedTuple):
    """What is true at the points of a result."""

    motion: np.ndarray  # float32 (time, n), mm
    air: np.ndarray  # float32 (time, n), mm, as displacement
    velocity: np.ndarray
    height: np.ndarray
    level: np.ndarray  # mean height error of the pixels around that have the same cover
    persistent: np.ndarray  # bool: one scatterer gives most of the pixel's energy
    alone: np.ndarray  # bool: and ten times that of all others and the clutter together
    ground: np.ndarray  # bool: no scatterer and no building
    years: np.ndarray  # float64 (time,)
    centre: np.ndarray  # mean height error of all that a pixel holds, by energy
    ratio: np.ndarray  # of its brightest scatterer to the clutter


def truth_at(truth: xr.Dataset, rows: np.ndarray, columns: np.ndarray) -> Truth:
    """The truth of a simulation at points: of the scatterer that gives a pixel most of its energy, if one does.

    Energies are those of the responses to all scatterers within three pixels, and of the clutter. Where none of them
    gives more than half, it is the truth of the pixel's own place.
    """
    seen = _seen(truth, rows, columns)
    persistent = seen.share > _MOST
    i, j = (here + np.where(persistent, each, 0) for here, each in zip((rows, columns), seen.away, strict=True))
    return Truth(
        _points(truth["displacement"].data, i, j),
        -sum(_points(truth[name].data, rows, columns) for name in ("turbulent", "stratified", "ramp")),
        truth["velocity"].values[i, j],
        truth["height_error"].values[i, j],
        _level(truth, rows, columns),
        persistent,
        seen.share > _ALONE,
        np.isnan(truth["scr"].values[rows, columns]) & (truth["building"].values[rows, columns] == 0),
        (truth["time"].values - truth["time"].values[0]) / np.timedelta64(1, "D") / 365.25,
        seen.centre,
        seen.ratio,
    )


def _level(truth: xr.Dataset, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Mean height error in the window of a distributed scatterer, of pixels with its cover, m."""
    cover, window = truth["cover"].values, BasicConfig().distributed.link.window
    out = np.empty(len(rows))
    for code in np.unique(cover[rows, columns]):
        same = (cover == code).astype(np.float64)
        means = [ndimage.uniform_filter(each, window) for each in (truth["height_error"].values * same, same)]
        here = cover[rows, columns] == code
        out[here] = means[0][rows[here], columns[here]] / means[1][rows[here], columns[here]]
    return out


def _seen(truth: xr.Dataset, rows: np.ndarray, columns: np.ndarray) -> Seen:
    """What pixels hold of the responses to scatterers and of clutter within three pixels.

    The phase of a sum of echoes changes with the baseline as their mean height does, weighted by energy, if it is
    averaged by intensity over phases that are drawn: that mean is the height which a pixel of several scatterers shows.
    """
    options = StackOptions.model_validate_json(truth.attrs["options"])
    sensor, covers = options.sensor, options.scatterers.coherence
    shapes = (sensor.azimuth_bandwidth, sensor.azimuth_window), (sensor.range_bandwidth, sensor.range_window)
    power = 10 ** (np.array([getattr(covers, name).power for name in truth.attrs["covers"]]) / 10)
    clutter = power[truth["cover"].values]
    energy = np.nan_to_num(clutter * 10 ** (truth["scr"].values / 10))
    layers = [np.nan_to_num(truth[name].values) for name in ("offset_y", "offset_x")]
    height = truth["height_error"].values
    energy, down, right, height, around = (np.pad(each, _NEAR) for each in (energy, *layers, height, clutter))
    taps = [response(np.arange(-_NEAR, _NEAR + 1), *shape) ** 2 for shape in shapes]
    taps = [each / each.sum() for each in taps]
    total, best, away = clutter[rows, columns], np.zeros(len(rows)), np.zeros((2, len(rows)), int)
    whole, moment = np.zeros((2, len(rows)))
    for y, x in np.ndindex(2 * _NEAR + 1, 2 * _NEAR + 1):
        i, j = rows + y, columns + x
        noise = around[i, j] * taps[0][y] * taps[1][x]
        y, x = y - _NEAR, x - _NEAR
        seen = energy[i, j] * (response(y + down[i, j], *shapes[0]) * response(x + right[i, j], *shapes[1])) ** 2
        total, more = total + seen, seen > best
        whole, moment = whole + seen + noise, moment + (seen + noise) * height[i, j]
        best[more], away[:, more] = seen[more], np.array([[y], [x]])
    return Seen(best / total, away, best / clutter[rows, columns], moment / whole)


def compare(result: BasicResult, truth: Truth) -> dict[str, Errors]:
    """Errors of groups of points."""
    distributed = result.table["mp_type"].to_numpy() > 0
    coherent = result.table["temporal_coherence"].to_numpy() > _COHERENT
    persistent = ~distributed & truth.persistent
    groups = {
        MEAN: ~distributed & coherent,
        "all persistent, coherence > 0.7": ~distributed & coherent,
        "persistent": persistent,
        "persistent, coherence > 0.7": persistent & coherent,
        "persistent, alone, coherence > 0.7": persistent & coherent & truth.alone,
        "distributed": distributed & truth.ground,
        "distributed, coherence > 0.7": distributed & coherent & truth.ground,
    }
    cluster = result.table["cluster_label"].to_numpy()
    displacement = _less_mean(series(result.table).T - truth.motion, cluster)
    displacement -= _model_at_first(truth.years) @ displacement
    velocity = _less_mean(result.series.velocity - truth.velocity, cluster)
    off = result.series.height - np.where(distributed, truth.level, truth.height)
    height = {
        name: _less_mean(result.series.height - truth.centre if name == MEAN else off, cluster) for name in groups
    }
    return {
        name: _errors(velocity[here], displacement[:, here], height[name][here], *(
            sigma[..., here] for sigma in
            (result.series.velocity_sigma, result.series.displacement_sigma, result.series.height_sigma)
        ))
        for name, here in groups.items() if here.any()
    }  # fmt: skip


def _errors(
    velocity: np.ndarray,
    displacement: np.ndarray,
    height: np.ndarray,
    velocity_sigma: np.ndarray,
    displacement_sigma: np.ndarray,
    height_sigma: np.ndarray,
) -> Errors:
    off = np.abs(displacement - np.median(displacement, axis=0)) > _CYCLE / 2
    return Errors(
        len(velocity), _rms(velocity), _rms(displacement - displacement.mean(axis=0)), _rms(height),
        1 - float(off.any(axis=0).mean()),
        (_rms(velocity / velocity_sigma) ** 2, _rms(displacement / displacement_sigma) ** 2,
         _rms(height / height_sigma) ** 2),
    )  # fmt: skip


def detected(result: BasicResult, truth: xr.Dataset) -> Detection:
    """How many of the strong scatterers were found, and how much of the water."""
    scr = np.nan_to_num(truth["scr"].values, nan=-np.inf)
    persistent, accepted = np.zeros((2, *scr.shape), bool)
    accepted[result.rows, result.columns] = True
    of_scatterers = result.table["mp_type"].to_numpy() == 0
    persistent[result.rows[of_scatterers], result.columns[of_scatterers]] = True
    strong = scr > _STRONG
    found = ndimage.binary_dilation(persistent, np.ones((3, 3)))[strong].mean()
    water = truth["region"].values == truth.attrs["regions"].index("water")
    side = 2 * _REACH + 1
    outside = {"mode": "constant", "cval": True}  # there may be scatterers, too
    reached = ndimage.maximum_filter(np.isfinite(scr), (side, side), **outside)
    reached |= ndimage.maximum_filter(~water, (2 * _BLUR + 1, 2 * _BLUR + 1), **outside)
    return Detection(
        int(strong.sum()), float(found), int((water & ~reached).sum()), int((accepted & water & ~reached).sum()),
        int((water & reached).sum()), int((accepted & water & reached).sum()),
    )  # fmt: skip


def air_trend(truth: Truth, cluster: np.ndarray) -> float:
    """Velocity that the true atmosphere looks like at the points, root mean square, mm/yr: no filter can tell it."""
    angle = 2 * np.pi * truth.years
    design = np.stack([np.ones_like(angle), truth.years, np.cos(angle), np.sin(angle)], axis=1)
    return _rms(_less_mean(np.linalg.pinv(design)[1] @ truth.air, cluster))


def filter_rows(folder: Path) -> list[tuple[str, float, float, float, float]]:
    """Stacks with and without air, measured with and without the filter, without distributed scatterers.

    Rows of: air, error before and after (mm, beside a straight line of each point and the mean of each date), share of
    variance removed, share of the non-linear true motion that the result lacks.
    """
    rows = []
    for name, air in (("none", AtmosphereOptions(turbulence=0, stratified=0, stratified_seasonal=0, ramp=0)),
                      ("as simulated", AtmosphereOptions())):  # fmt: skip
        simulation = write_simulation(folder / f"air-{name[:2]}", StackOptions(**TOWN, seed=3, atmosphere=air))
        off = measure_points(simulation.stack, BasicConfig(atmosphere=None, distributed=None))
        truth = truth_at(simulation.truth, off.rows, off.columns)
        here = truth.persistent & (off.table["mp_type"].to_numpy() == 0)
        for window in (365.0, 180.0, 730.0, 0.0):
            config = BasicConfig(atmosphere=AtmosphereConfig(window=window), distributed=None)
            on = measure_points(simulation.stack, config)
            assert np.array_equal(on.rows, off.rows)
            before, after, signal = (
                _beside_lines(each[:, here], truth.years)
                for each in (series(off.table).T - truth.motion, series(on.table).T - truth.motion, truth.motion)
            )
            lost = -float(np.sum(after * signal) / np.sum(signal**2))
            label = f"{name} | {window:.0f} days"
            rows.append((label, _rms(before), _rms(after), 1 - (_rms(after) / _rms(before)) ** 2, lost))
    return rows


def main(out: Path, seeds: list[int]) -> None:
    scenes = [("city", CITY, seed) for seed in seeds] + [("town", TOWN, seed) for seed in TOWNS]
    for kind, size, seed in scenes:
        simulation = _scene(out / f"{kind}-{seed}", StackOptions(**size, seed=seed))
        start = time.process_time()
        result = measure_points(simulation.stack)
        seconds = time.process_time() - start
        truth = truth_at(simulation.truth, result.rows, result.columns)
        trend = air_trend(truth, result.table["cluster_label"].to_numpy())
        print(f"\n{kind} {seed}: {len(result.rows)} points, {seconds:.0f} s of CPU; the true air is {trend:.2f} mm/yr")
        print("| points | number | velocity mm/yr | displacement mm | height m | right cycles | z² of the three |")
        print("|---|---|---|---|---|---|---|")
        for name, each in compare(result, truth).items():
            z = ", ".join(f"{value:.2f}" for value in each.standardised)
            print(f"| {name} | {each.points} | {each.velocity:.2f} | {each.displacement:.2f} | {each.height:.2f} "
                  f"| {100 * each.right:.2f} % | {z} |")  # fmt: skip
        print(detected(result, simulation.truth))
        neighbours = np.rint(result.table["mp_type"].to_numpy() / pixel_area(simulation.stack))
        cover = simulation.truth["cover"].values[result.rows, result.columns]
        bound = height_bounds(simulation.stack, simulation.truth, cover, truth.ratio, neighbours)
        for name, here in (
            ("persistent", (neighbours == 0) & truth.persistent),
            ("alone", (neighbours == 0) & truth.alone),
            ("distributed", (neighbours > 0) & truth.ground),
        ):
            print(f"bound of heights, {name}: {_rms(bound[here]):.2f} m")
    print("\n| air | window | error before mm | after mm | variance removed | signal lost |\n|---|---|---|---|---|---|")
    for label, before, after, removed, lost in filter_rows(out):
        print(f"| {label} | {before:.2f} | {after:.2f} | {100 * removed:.0f} % | {100 * lost:.1f} % |")


def _scene(folder: Path, options: StackOptions) -> Simulation:
    if (folder / "stack.zarr").exists():
        return open_simulation(folder)
    return write_simulation(folder, options)


def _points(array: da.Array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A lazy array (time, y, x) at points, float32 (time, n), chunk by chunk."""
    out = np.empty((array.shape[0], len(rows)), np.float32)
    bounds = [np.cumsum([0, *chunks]) for chunks in array.chunks[1:]]
    for top, bottom in zip(bounds[0][:-1], bounds[0][1:], strict=True):
        for left, right in zip(bounds[1][:-1], bounds[1][1:], strict=True):
            here = np.flatnonzero((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right))
            if here.size:
                block = array[:, top:bottom, left:right].compute()
                out[:, here] = block[:, rows[here] - top, columns[here] - left]
    return out


def _less_mean(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Values (..., n) less the mean of their cluster, float64."""
    out = values.astype(np.float64)
    for label in np.unique(cluster):
        inside = cluster == label
        out[..., inside] -= out[..., inside].mean(axis=-1, keepdims=True)
    return out


def _beside_lines(values: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Series (time, n) less the mean of each date and a straight line of each point."""
    design = np.stack([np.ones_like(years), years], axis=1)
    values = values - values.mean(axis=1, keepdims=True)
    return values - design @ (np.linalg.pinv(design) @ values)


def _model_at_first(years: np.ndarray) -> np.ndarray:
    """Row that gives the fitted model, cubic with a season, at the first date."""
    angle = 2 * np.pi * years
    design = np.stack([np.ones_like(years), years, years**2, years**3, np.cos(angle), np.sin(angle)], axis=1)
    return design[0] @ np.linalg.pinv(design)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
