"""How often assets at rest raise an alarm, and how much must happen until nine of ten are found: simulated towns.

python -m benchmarks.assets --errors hard --first 7000 --towns 60 --power 8
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa

from groundshift.kernels.series_fields import YEAR, series_fields
from groundshift.model.points import header, point_set, series
from groundshift.products.assets import AssetConfig, assess_assets
from groundshift.synth.structures import Errors, _scatterers, _structures, simulate_town

NO_SIZES = dict.fromkeys(("velocity", "distortion", "acceleration", "bend", "step"), (0, 0, 0))
QUANTITIES = ("velocity", "distortion", "acceleration", "change")
SIZES = {
    "velocity": ("mm/yr", (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)),
    "tilt": ("mm/yr from end to end", (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0)),
    "acceleration": ("mm/yr²", (0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0)),
    "step": ("mm", (1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 20.0)),
    "bend": ("mm/yr", (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0)),
}
BLOCKS = 6
SETTLES = (0.0, 1.0, 2.0, 3.0, 5.0)  # mm/yr
SPANS = 4
EACH = 3  # buildings of each kind that are unhealthy


def main() -> None:
    """Print false alarms and power."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", choices=["soft", "hard"], default="soft")
    parser.add_argument("--first", type=int, default=0, help="seed of the first town")
    parser.add_argument("--towns", type=int, default=10, help="at rest")
    parser.add_argument("--power", type=int, default=4, help="towns for each size of what happens")
    options = parser.parse_args()
    errors = Errors.hard() if options.errors == "hard" else Errors()
    start = time.process_time()
    false_alarms(errors, range(options.first, options.first + options.towns))
    power(errors, range(options.first + 10_000, options.first + 10_000 + options.power))
    spans(errors, range(options.first + 20_000, options.first + 20_000 + options.power))
    print(f"{time.process_time() - start:.0f} s of CPU")


def false_alarms(errors: Errors, seeds: range) -> None:
    """Shares of assets at rest that reach each level, and of each quantity against what is stated."""
    levels, chances = [], {name: [] for name in QUANTITIES}
    segments: dict[str, list[tuple[float, float]]] = {}  # standardised motion and its chance, by kind
    for seed in seeds:
        town = simulate_town(seed=seed, blocks=BLOCKS, faults=False, errors=errors)
        assessment = assess_assets(town.table, town.assets, AssetConfig(levels=NO_SIZES))
        found = assessment.judgement
        for each in assessment.segments.attributes.to_pylist():
            if np.isfinite(each["motion"]):
                one = each["motion"] / each["motion_sigma"], each["motion_chance"]
                segments.setdefault(each["kind"], []).append(one)
        levels.append(found.level)
        for name in QUANTITIES:
            chances[name].append(getattr(found, name).chance)
    every = np.concatenate(levels)
    shares = ", ".join(f"{100 * (every >= k).mean():.3f} % ({(every >= k).sum()})" for k in (1, 2, 3))
    print(f"{len(every)} assets at rest: notice or more, watch or more, alert: {shares}")
    segments["all"] = [one for rows in segments.values() for one in rows]
    for kind, rows in segments.items():
        score, chance = np.array(rows).T
        below = (chance < 0.01).mean()
        print(f"  {len(rows)} segments, {kind}: z² {np.mean(score**2):.2f}, chance below 1 %: {below:.4f}")
    for name, each in chances.items():
        values = np.concatenate(each)
        print(f"  {name}: " + ", ".join(f"{(values <= p).mean() / p:.2f} at {p:g}" for p in (0.1, 0.0025, 0.00025)))


def power(errors: Errors, seeds: range) -> None:
    """Share of buildings of ten points or more that are noticed, by what happens to them and how much of it."""
    for number in range(8):
        hits = {name: [] for name in SIZES}
        for seed in seeds:
            table, chosen, town = _unhealthy(errors, seed, {name: sizes[number] for name, (_, sizes) in SIZES.items()})
            found = assess_assets(table, town.assets, AssetConfig(levels=NO_SIZES)).table.attributes
            level = dict(zip(found["id"].to_pylist(), found["level"].to_pylist(), strict=True))
            identity = town.assets.attributes["id"].to_pylist()
            for name, rows in chosen.items():
                hits[name] += [level[identity[row]] in ("notice", "watch", "alert") for row in rows]
        text = (
            f"{name} {SIZES[name][1][number]:g} {SIZES[name][0]}: {np.mean(each):.2f}" for name, each in hits.items()
        )
        print("  " + ", ".join(text), flush=True)


def spans(errors: Errors, seeds: range) -> None:
    """What is said of the spans of bridges of 160 m, of which one of four settles."""
    for size in SETTLES:
        rows = []
        for seed in seeds:
            town = simulate_town(seed=seed, blocks=BLOCKS, faults=False, errors=errors)
            owner, along = _owners(seed)
            bridges = np.flatnonzero(np.array(town.assets.attributes["kind"].to_pylist()) == "bridge")
            which = np.random.default_rng(seed).integers(0, SPANS, len(bridges))
            mine = np.zeros(len(owner), bool)
            for bridge, span in zip(bridges, which, strict=True):
                mine |= (owner == bridge) & (np.floor(SPANS * along) == span)
            record, values = header(town.table), series(town.table).astype(float)
            days = (record.dates - record.dates[0]).astype(float)
            values[mine] -= size * days / YEAR
            given = ["" if n not in bridges else str(SPANS) for n in range(len(town.assets))]
            assets = replace(town.assets, attributes=town.assets.attributes.append_column("spans", pa.array(given)))
            found = assess_assets(_again(town.table, values, days), assets).segments.attributes
            settling = dict(zip(np.array(town.assets.attributes["id"])[bridges].tolist(), which, strict=True))
            rows += [each | {"true": -size * (settling[each["id"]] == each["segment"] - 1)}
                     for each in found.to_pylist() if each["span"]]  # fmt: skip
        seen = [each for each in rows if np.isfinite(each["motion"])]
        moved, rest = ([each for each in seen if (each["true"] != 0) == side] for side in (True, False))
        words = Counter(each["verdict"] for each in moved)
        covered = np.mean([abs(each["true"]) <= each["motion_bound"] for each in seen])
        text = f"  span settles by {size:g} mm/yr: {len(moved)} seen, {_told(moved)} {dict(words)}"
        text = f"{text}; {len(rest)} others, {_told(rest)}; bound holds for {covered:.3f}"
        print(f"{text}; {len(rows) - len(seen)} not seen", flush=True)


def _told(rows: list[dict]) -> str:
    """How many are said to move, and the variance of their standardised errors."""
    if not rows:
        return ""
    said = np.mean([each["verdict"].startswith("moves") for each in rows])
    score = np.mean([((each["motion"] - each["true"]) / each["motion_sigma"]) ** 2 for each in rows])
    return f"{said:.3f} said to move, z² {score:.2f}"


def _owners(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The asset each point of a town is really on, and where along it, 0 to 1."""
    random = np.random.default_rng(seed)
    return _scatterers(_structures(BLOCKS, random), BLOCKS, random)[1:]  # as in the simulation


def _again(table: pa.Table, values: np.ndarray, days: np.ndarray) -> pa.Table:
    """The points with other series, and the fields that follow from them."""
    record, fields = header(table), series_fields(values, days)
    columns = {name: table[name] for name in table.column_names if name not in ("displacement", "geometry")}
    columns |= {name: getattr(fields, name) for name in fields._fields if name != "first"}
    columns["displacement"] = values - fields.first[:, None]
    return point_set(columns, level="L2b", dates=record.dates, crs=record.crs)


def _unhealthy(errors: Errors, seed: int, sizes: dict[str, float]):
    town = simulate_town(seed=seed, blocks=BLOCKS, faults=False, errors=errors)
    owner, along = _owners(seed)
    counts = np.bincount(owner[owner >= 0], minlength=len(town.assets))
    kinds = np.array(town.assets.attributes["kind"].to_pylist())
    able = np.random.default_rng(seed + 1).permutation(np.flatnonzero((kinds == "building") & (counts >= 10)))
    record, values = header(town.table), series(town.table).astype(float)
    days = (record.dates - record.dates[0]).astype(float)
    years = days / YEAR
    late = np.maximum(years - years[-1] / 2, 0)
    shapes = {
        "velocity": years,
        "acceleration": (years - years[-1] / 2) ** 2 / 2,
        "step": 1.0 * (late > 0),
        "bend": late,
    }
    chosen = {}
    for number, (name, size) in enumerate(sizes.items()):
        chosen[name] = able[EACH * number : EACH * (number + 1)]
        mine = np.isin(owner, chosen[name])
        values[mine] += size * ((along[mine, None] - 0.5) * years if name == "tilt" else shapes[name])
    return _again(town.table, values, days), chosen, town


if __name__ == "__main__":
    main()
