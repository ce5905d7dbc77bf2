"""Errors of east, north and up of simulated earthquakes: `python -m benchmarks.fuse [OUT]`.

Each earthquake is seen by an optical map, two tracks of radar, and stations. It is solved from radar alone (north taken
as 0), from the optical map and the stations, in the way of Ortho (tracks tied to stations, north from stations), and
fused. Prints root mean squares of errors, and mean squares of errors standardised by their covariance; with OUT, writes
pictures of the first earthquake. Processor time is that of one fusion.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from pyproj import Transformer
from scipy.spatial import cKDTree

from groundshift.figures.fusion import fusion_figure, profile_3d_figure
from groundshift.figures.style import save_figure
from groundshift.geodesy.velocity_model import fit_velocity_model
from groundshift.grid.tiles import Box
from groundshift.kernels.cell_series import solve_looks
from groundshift.model.displacement import displacement_map
from groundshift.products.fuse import Interval, OpticalMap, RadarPoints, Stations, fuse
from groundshift.products.fuse.grid import fuse_grid
from groundshift.synth.three_dimensions import EarthquakeOptions, SimulatedEarthquake, simulate_earthquake

NAMES, CELL, NEAR = ("east", "north", "up"), 200.0, 3_000.0
DATES = {"start": "2020-01-01", "end": "2020-01-13"}
PAIRS = {(0, 1): "east_north", (0, 2): "east_up", (1, 2): "north_up"}
EARTHQUAKES = (
    {"strike": 20.0, "dip": 65.0, "rake": 40.0},
    {"strike": 340.0, "dip": 55.0, "rake": 130.0},
    {"strike": 40.0, "dip": 60.0, "rake": -140.0},
    {"strike": 5.0, "dip": 75.0, "rake": 30.0},
)


def ortho_way(made: SimulatedEarthquake, grid: xr.Dataset, radar: list[RadarPoints]) -> dict[str, np.ndarray]:
    """East, north, up (y, x) as Ortho has them: tracks tied to stations by a plane, north of the stations' model."""
    model = fit_velocity_model(replace(made.stations, quantity="velocity"))  # mm of one interval, as if a year
    rows, columns = np.mgrid[: grid.shape.y, : grid.shape.x] + 0.5
    x, y = grid.affine @ (columns.ravel(), rows.ravel())
    crs = Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True)
    longitude, latitude = crs.transform(x, y)
    expected = model.at(latitude, longitude).velocity.T / 1000
    plane = np.column_stack([np.ones(x.size), (x - x.mean()) / 20_000, (y - y.mean()) / 20_000])
    place = np.stack(crs.transform(made.stations.longitude, made.stations.latitude, direction="INVERSE"), axis=-1)
    station = np.array([np.hypot(x - each[0], y - each[1]).argmin() for each in place])
    seen, looks = [], []
    for track in radar:
        (channel,) = track.channels(
            grid, Box(0, 0, *grid.shape), Interval("displacement", *map(np.datetime64, DATES.values()))
        )
        value, look = channel.value.ravel(), channel.look.reshape(3, -1)
        toward = (look.T[station] * made.stations.velocity).sum(axis=1) / 1000
        there = np.isfinite(value[station])
        tie = np.linalg.lstsq(plane[station[there]], (value[station] - toward)[there], rcond=None)[0]
        seen.append(value - plane @ tie - look[1] * expected[1])
        looks.append(look)
    looks, seen = np.array(looks), np.array(seen)
    gain = solve_looks(looks[:, 0], looks[:, 2], np.where(np.isfinite(seen), 1.0, np.nan)).gain
    east, up = (gain * np.nan_to_num(seen)).sum(axis=1)
    north = np.where(np.isfinite(east), expected[1], np.nan)
    return {name: each.reshape(tuple(grid.shape)) for name, each in zip(NAMES, (east, north, up), strict=True)}


def errors(found, truth: np.ndarray) -> np.ndarray:
    """Errors (3, y, x), NaN where a component is not there."""
    return np.stack(
        [
            np.asarray(found[n], float) - truth[k] if n in found else np.full(truth[0].shape, np.nan)
            for k, n in enumerate(NAMES)
        ]
    )


def standardised(dataset: xr.Dataset, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares of standardised errors of components (3, y, x), and of all three together, divided by 3 (y, x)."""
    sigma = np.stack([dataset[f"{name}_sigma"].values.astype(float) for name in NAMES])
    covariance = np.einsum("iyx,ij->yxij", sigma**2, np.eye(3))
    for (i, j), name in PAIRS.items():
        covariance[..., i, j] = covariance[..., j, i] = dataset[f"{name}_covariance"].values
    whole = np.isfinite(covariance).all(axis=(2, 3))
    out = np.full(whole.shape, np.nan)
    e = error[:, whole].T
    out[whole] = np.einsum("ni,ni->n", e, np.linalg.solve(covariance[whole], e[..., None])[..., 0]) / 3
    return (error / sigma) ** 2, out


def one(
    number: int, out: Path | None
) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    """Errors by way of solving, distance to the rupture, standardised squares of the fused, seconds."""
    made = simulate_earthquake(EarthquakeOptions(seed=number, **EARTHQUAKES[number]))
    optical, stations = OpticalMap(made.optical), Stations(made.stations)
    radar = [RadarPoints(table) for table in made.radar]
    grid = fuse_grid([optical], cell=CELL)
    factor = round(CELL / made.options.pixel)
    truth = made.truth.reshape(3, grid.shape.y, factor, grid.shape.x, factor).mean(axis=(2, 4))
    start = time.process_time()
    fused = fuse([optical, *radar, stations], grid=grid, executor="serial", **DATES)
    seconds = time.process_time() - start
    tied = ortho_way(made, grid, radar)
    found = {
        "radar alone": fuse(radar, grid=grid, executor="serial", **DATES),
        "optical alone": fuse([optical], grid=grid, executor="serial", **DATES),
        "optical and stations": fuse([optical, stations], grid=grid, executor="serial", **DATES),
        "radar and stations, as Ortho": tied,
        "optical and radar": fuse([optical, *radar], grid=grid, executor="serial", **DATES),
        "all, fused": fused,
    }
    if out is not None:
        pictures(out, made, fused, tied, truth, grid)
    rows, columns = np.mgrid[: grid.shape.y, : grid.shape.x] + 0.5
    places = np.stack(grid.affine @ (columns, rows), axis=-1)
    distance = cKDTree(made.trace).query(places)[0]
    error = {name: errors(each, truth) for name, each in found.items()}
    return error, distance, standardised(fused, error["all, fused"]), seconds


def pictures(out: Path, made: SimulatedEarthquake, fused: xr.Dataset, tied: dict, truth: np.ndarray, grid) -> None:
    """Map of vectors, and a profile across the rupture with the truth and what Ortho finds."""
    out.mkdir(parents=True, exist_ok=True)

    def as_map(values) -> xr.Dataset:
        layers = {name: np.asarray(each, np.float32) for name, each in zip(NAMES, values, strict=True)}
        good = np.isfinite(list(layers.values())).all(axis=0)
        layers |= {f"{name}_sigma": np.ones(good.shape, np.float32) for name in NAMES}
        layers["quality"] = np.ones(good.shape, np.float32)
        layers = {name: np.where(good, each, np.nan).astype(np.float32) for name, each in layers.items()}
        return displacement_map({**layers, "reason": (~good).astype(np.uint8)}, grid, fused.attrs)

    along = made.trace[-1] - made.trace[0]
    across = np.array([along[1], -along[0]]) / np.hypot(*along)
    middle = made.trace.mean(axis=0)
    ends = middle - 18_000 * across, middle + 18_000 * across
    save_figure(fusion_figure(fused, trace=made.trace, line=np.concatenate(ends)), out / "fusion-map.png", dpi=100)
    figure = profile_3d_figure(
        fused, *ends, width=2_000, trace=made.trace, truth=as_map(truth),
        others={"radar and stations, as Ortho": as_map([tied[name] for name in NAMES])},
    )  # fmt: skip
    save_figure(figure, out / "fusion-profile.png", dpi=100)


def rms(values: np.ndarray) -> str:
    """Root mean square of what is finite."""
    good = values[np.isfinite(values)]
    return f"{np.sqrt(np.mean(good**2)):.3f}" if good.size > 100 else "–"


def main(out: Path | None = None) -> None:
    runs = [one(number, out if number == 0 else None) for number in range(len(EARTHQUAKES))]
    near = [distance < NEAR for _, distance, _, _ in runs]
    print(
        "| | all cells: east | north | up | there | within 3 km of the rupture: east | north | up | there |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name in runs[0][0]:
        row = []
        for chosen in ([np.ones_like(each) for each in near], near):
            parts = [
                np.concatenate([run[0][name][k][use] for run, use in zip(runs, chosen, strict=True)]) for k in range(3)
            ]
            there = np.mean(np.any(np.isfinite(parts), axis=0))
            row += [*(rms(each) for each in parts), f"{100 * there:.0f} %"]
        print(f"| {name} | {' | '.join(row)} |")
    print(
        "\nOn cells that both have, Ortho's way / fused:\n\n"
        "| strike, dip, rake | where | east | north | up | ratio of north |\n"
        "|---|---|---|---|---|---|"
    )
    for number, (error, distance, *_) in enumerate(runs):
        tied, fused = error["radar and stations, as Ortho"], error["all, fused"]
        shared = np.isfinite(tied).all(axis=0) & np.isfinite(fused).all(axis=0)
        said = ", ".join(f"{value:g}" for value in EARTHQUAKES[number].values())
        for where, use in (("all cells", shared), ("within 3 km", shared & (distance < NEAR))):
            a, b = (np.sqrt(np.mean(each[:, use] ** 2, axis=1)) for each in (tied, fused))
            row = " | ".join(f"{x:.3f} / {y:.3f}" for x, y in zip(a, b, strict=True))
            print(f"| {said} | {where} | {row} | {b[1] / a[1]:.3f} |")
    print(
        "\nMean squared standardised error of the fused:\n\n"
        "| where | east | north | up | all three |\n|---|---|---|---|---|"
    )
    for where, chosen in (("all cells", [np.ones_like(each) for each in near]), ("within 3 km", near)):
        parts = [np.concatenate([run[2][0][k][use] for run, use in zip(runs, chosen, strict=True)]) for k in range(3)]
        parts.append(np.concatenate([run[2][1][use] for run, use in zip(runs, chosen, strict=True)]))
        print(f"| {where} | {' | '.join(f'{np.nanmean(each):.2f}' for each in parts)} |")
    print(f"\nprocessor time of a fusion, the second and later: {np.mean([run[3] for run in runs[1:]]):.1f} s")


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:]))
