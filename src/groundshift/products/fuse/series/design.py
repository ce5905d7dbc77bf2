"""The unknowns of a cell in order of time, and the rows that tie them: what is measured, and what is assumed.

Unknown are displacement on each date but the first, the errors at this cell of each image that pairs share, and what
belongs to all dates: the rate (if place walks), the season, and the origin of each track and station.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from groundshift.kernels.skyline import Skyline, skyline
from groundshift.model.displacement import COMPONENTS
from groundshift.model.units import YEAR
from groundshift.products.fuse.series.config import SeriesConfig
from groundshift.products.fuse.series.strands import Strand

VAGUE = 1e3  # m, standard deviation of the origin of a track or station
_ONCE = np.sqrt(0.5)  # errors of a date are those of a difference by this


class Epoch(NamedTuple):
    """Errors that all cells share on one date of one strand: offset and two ramps."""

    strand: int
    name: str
    share: float  # of the errors of the strand


class Entry(NamedTuple):
    """One number of a row: column, coefficient, and which part of the look it is multiplied by, -1 for none."""

    column: int
    coefficient: float
    look: int = -1


class Assumed(NamedTuple):
    """A row about which something is assumed: 0, give or take."""

    entries: tuple[Entry, ...]
    kind: str  # walk, rate, season, jump, origin, field
    number: int  # component, or strand for a field
    variance: float  # in units of the size squared


@dataclass(frozen=True, eq=False)
class Design:
    """Pattern of the equations, the same for all cells."""

    nodes: np.ndarray  # datetime64[D] (time,)
    strands: tuple[Strand, ...]
    epochs: tuple[Epoch, ...]
    pointer: np.ndarray  # int64, of the rows of all strands and then of what is assumed
    column: np.ndarray
    coefficient: np.ndarray  # float64
    look: np.ndarray  # int64: row of the looks, -1 for none
    pattern: Skyline
    places: np.ndarray  # int64 (time - 1, 3): columns of displacement
    assumed: tuple[Assumed, ...]
    incidence: np.ndarray  # float64 (measured rows, epochs): errors of which dates are in a row
    of_strand: np.ndarray  # int64 (measured rows,)

    @property
    def measured(self) -> int:
        """Rows of strands."""
        return len(self.of_strand)

    @property
    def unknowns(self) -> int:
        """Of a cell."""
        return self.pattern.first.size

    @property
    def span(self) -> float:
        """Years from the first to the last date."""
        return float((self.nodes[-1] - self.nodes[0]).astype(int) / YEAR)

    def factors(self, looks: np.ndarray) -> np.ndarray:
        """Coefficients of all rows times the looks of cells, float64 (k, cell); looks (3 tracks, cell)."""
        out = np.repeat(self.coefficient[:, None], looks.shape[1], axis=1)
        used = self.look >= 0
        out[used] *= looks[self.look[used]]
        return out

    def rows_of(self, strand: int) -> np.ndarray:
        """Numbers of its rows."""
        return np.flatnonzero(self.of_strand == strand)


def make_nodes(days: np.ndarray, dates: Sequence[np.datetime64] | None, config: SeriesConfig) -> np.ndarray:
    """Dates that are solved for, datetime64[D]: from the first to the last of `dates`, or of the days on which was
    measured, each `every` days; and, in place of those close to them, `dates` and the days before and of each step."""
    first, last = (days[0], days[-1]) if dates is None else (dates[0], dates[-1])
    fixed = [first, last, *(dates or ())]
    for step in config.steps:
        day = np.datetime64(step, "D")
        if first < day <= last:
            fixed += [day - np.timedelta64(1, "D"), day]
    fixed = np.array(fixed, "datetime64[D]")
    regular = np.arange(first, last, np.timedelta64(config.every, "D"))
    apart = np.abs(regular[:, None] - fixed).min(axis=1)
    return np.unique(np.concatenate([fixed, regular[2 * apart > np.timedelta64(config.every, "D")]]))


def make_design(strands: Sequence[Strand], nodes: np.ndarray, config: SeriesConfig) -> Design:
    """The equations of a cell for what `strands` measure between the dates `nodes`."""
    time = (nodes - nodes[0]).astype(int) / YEAR
    columns = _Columns(strands, nodes, config)
    rows, of_strand, shared = [], [], {}
    looks = 0
    for number, strand in enumerate(strands):
        part = COMPONENTS.index(strand.component) if strand.component != "los" else -1
        for start, end, before, after in zip(strand.start, strand.end, strand.before, strand.after, strict=True):
            entries = _between(columns, nodes, start, end, part, 3 * looks)
            entries += [Entry(columns.number["origin", number, 0], 1.0)] if np.isnat(start) else []
            for name, sign in ((before, -1.0), (after, 1.0)):
                if name:
                    shared.setdefault((number, name), []).append((len(rows), sign))
                    if ("field", number, name) in columns.number:
                        entries.append(Entry(columns.number["field", number, name], sign))
            rows.append(tuple(entries))
            of_strand.append(number)
        looks += strand.component == "los"
    once = {"optical": _ONCE, "radar": _ONCE}
    epochs = tuple(Epoch(number, name, once.get(strands[number].kind, 1.0)) for number, name in shared)
    incidence = np.zeros((len(rows), len(epochs)))
    for column, uses in enumerate(shared.values()):
        for row, sign in uses:
            incidence[row, column] += sign
    assumed = _assumed(columns, strands, nodes, time, config)
    every = [*rows, *(each.entries for each in assumed)]
    pointer = np.cumsum([0, *map(len, every)])
    column, coefficient, look = (np.array([each[k] for row in every for each in row]) for k in range(3))
    blocks = columns.places.ravel()
    pattern = skyline(
        np.concatenate([pointer, pointer[-1] + 3 * np.arange(1, len(nodes))]), np.concatenate([column, blocks]),
        columns.count,
    )  # fmt: skip
    return Design(
        nodes, tuple(strands), epochs, pointer, column, coefficient.astype(float), look, pattern, columns.places,
        assumed, incidence, np.array(of_strand),
    )  # fmt: skip


class _Columns:
    """Where each unknown stands: in order of time, then what belongs to all dates."""

    def __init__(self, strands: Sequence[Strand], nodes: np.ndarray, config: SeriesConfig) -> None:
        timed: list[tuple[np.datetime64, int, tuple]] = [(day, 0, ("place", k)) for k, day in enumerate(nodes) if k]
        last: list[tuple] = []
        for number, strand in enumerate(strands):
            if strand.kind == "optical":
                images = dict(zip(strand.before + strand.after, [*strand.start, *strand.end], strict=True))
                timed += [(day, 1, ("field", number, name)) for name, day in images.items()]
            if strand.size and np.isnat(strand.start).all():
                last.append(("origin", number, 0))
        last += [("rate", part, 0) for part in range(3)] if config.walk == "random" else []
        last += [("season", part, wave) for part in range(3) for wave in range(2)] if config.season else []
        self.number: dict[tuple, int] = {}
        self.places = np.zeros((len(nodes) - 1, 3), np.int64)
        self.count = 0
        for _, _, key in sorted(timed, key=lambda each: each[:2]):
            if key[0] == "place":
                self.places[key[1] - 1] = self.count + np.arange(3)
                self.count += 3
            else:
                self.number[key] = self.count
                self.count += 1
        for key in last:
            self.number[key] = self.count
            self.count += 1

    def place(self, node: int, part: int, coefficient: float) -> list[Entry]:
        """Displacement on a date, which is 0 on the first."""
        return [Entry(int(self.places[node - 1, part]), coefficient)] if node else []


def _between(
    columns: _Columns, nodes: np.ndarray, start: np.datetime64, end: np.datetime64, part: int, look: int
) -> list[Entry]:
    """Displacement from one day to another, or since an origin; straight between the dates that are solved for."""
    weights = np.zeros(len(nodes))
    for day, sign in ((start, -1.0), (end, 1.0)):
        if np.isnat(day):
            continue
        after = max(int(np.searchsorted(nodes, day)), 1)
        share = (day - nodes[after - 1]) / (nodes[after] - nodes[after - 1])
        weights[after - 1] += sign * (1 - share)
        weights[after] += sign * share
    parts = range(3) if part < 0 else (part,)
    return [
        each._replace(look=look + k) if part < 0 else each
        for node in np.flatnonzero(weights)
        for k in parts
        for each in columns.place(int(node), k, float(weights[node]))
    ]


def _assumed(
    columns: _Columns, strands: Sequence[Strand], nodes: np.ndarray, time: np.ndarray, config: SeriesConfig
) -> tuple[Assumed, ...]:
    """What is assumed of the motion and of errors at the cell."""
    steps = {np.datetime64(each, "D") for each in config.steps}
    waves = np.stack([np.sin(2 * np.pi * time), np.cos(2 * np.pi * time)])
    out: list[Assumed] = []

    def rate(node: int, part: int) -> dict[int, float]:
        """Mean rate from the date before to a date, without the season, as coefficients by column."""
        length = time[node] - time[node - 1]
        entries = [*columns.place(node, part, 1 / length), *columns.place(node - 1, part, -1 / length)]
        found = {each.column: each.coefficient for each in entries}
        if config.walk == "random":
            found[columns.number["rate", part, 0]] = -1.0
        for wave in range(2 if config.season else 0):
            found[columns.number["season", part, wave]] = -(waves[wave, node] - waves[wave, node - 1]) / length
        return found

    def add(entries: dict[int, float], kind: str, number: int, variance: float) -> None:
        kept = tuple(Entry(column, value) for column, value in entries.items() if value)
        out.append(Assumed(kept, kind, number, variance))

    for part in range(3):
        fresh = config.walk == "integrated"
        for node in range(1, len(nodes)):
            if nodes[node] in steps:
                length = time[node] - time[node - 1]
                add({key: value * length for key, value in rate(node, part).items()}, "jump", part, 1.0)
                fresh = config.walk == "integrated"
                continue
            length, now = time[node] - time[node - 1], rate(node, part)
            if config.walk == "random":
                add(now, "walk", part, 1 / length)
            elif fresh:
                add(now, "rate", part, 1.0)
            else:
                before = rate(node - 1, part)
                change = {key: now.get(key, 0) - before.get(key, 0) for key in {**now, **before}}
                add(change, "walk", part, (time[node] - time[node - 2]) / 2)
            fresh = False
        for kind in ("rate", "season"):
            for wave in range(2):
                if (kind, part, wave) in columns.number:
                    share = 1.0 if kind == "rate" else 1 / (2 * np.pi) ** 2
                    add({columns.number[kind, part, wave]: 1.0}, kind, part, share)
    for (kind, number, *_), column in columns.number.items():
        if kind == "origin":
            add({column: 1.0}, kind, number, 1.0)
        elif kind == "field":
            add({column: 1.0}, kind, number, _ONCE**2)
    return tuple(out)
