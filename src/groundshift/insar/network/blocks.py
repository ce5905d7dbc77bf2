"""A network in parts: overlapping blocks are solved and unwrapped on their own, then tied by the points they share.

Phases stay in the stores of the steps that made them: in memory are those of one block, or two that are tied.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from groundshift.engine import TileStore
from groundshift.insar.network.arcs import NetworkConfig, solve_network
from groundshift.insar.network.attach import Surroundings
from groundshift.insar.network.phases import StoredSeries, TiedPhases
from groundshift.insar.network.unwrap import unwrap_network
from groundshift.insar.stack.geometry import StackGeometry

log = logging.getLogger(__name__)

_LEAST_SHARED = 20  # points that two parts must share to be tied


class Block(NamedTuple):
    """Points that are solved together."""

    index: int
    own: np.ndarray  # int, ascending: each point is the own of one block
    points: np.ndarray  # int, ascending: its own, and those of others around them


def block_plan(positions: np.ndarray, *, most: int, overlap: float) -> list[Block]:
    """Halve points along the longer side until no half has more than `most`; `overlap` metres around are shared."""
    parts, small = [np.arange(len(positions))], []
    while parts:
        part = parts.pop()
        if len(part) <= most:
            small.append(part)
            continue
        place = positions[part]
        order = np.argsort(place[:, int(np.ptp(place, axis=0).argmax())], kind="stable")
        parts += [np.sort(part[order[: len(part) // 2]]), np.sort(part[order[len(part) // 2 :]])]
    blocks = []
    for index, own in enumerate(small):
        low, high = positions[own].min(axis=0) - overlap, positions[own].max(axis=0) + overlap
        blocks.append(Block(index, own, np.flatnonzero(((positions >= low) & (positions <= high)).all(axis=1))))
    return blocks


@dataclass(frozen=True)
class SolveBlock:
    """Step over blocks: what :func:`tie_blocks` needs of the network and the unwrapped phases of a block's points."""

    positions: np.ndarray
    phases: StoredSeries
    geometry: StackGeometry
    config: NetworkConfig

    def __call__(self, block: Block) -> dict[str, np.ndarray]:
        place, phases = self.positions[block.points], self.phases.at(block.points)
        network = solve_network(place, phases, self.geometry, self.config)
        unwrapped = unwrap_network(place, phases, self.geometry, network)
        arcs = network.arcs.ends
        mine = np.isin(block.points[arcs[:, 0]], block.own)  # an arc is counted where its first point is the own
        return {
            "model": np.stack([network.velocity, network.height]),
            "cluster": network.cluster,
            "arcs": np.array([len(arcs), mine.sum(), network.accepted[mine].sum()]),
            "open_triangles": np.array(network.open_triangles),
            "phase": unwrapped.phase,
            "coherence": unwrapped.coherence,
            "residues": unwrapped.residues,
            "corrected": unwrapped.corrected,
        }


class Tied(NamedTuple):
    """The network as if it had been solved at once."""

    cluster: np.ndarray  # int (n,): 0 is the largest, -1 for points that were dropped
    coherence: np.ndarray  # float64 (n,): temporal coherence of a point with the points around it
    phases: TiedPhases
    arcs: int
    accepted: int  # arcs that the network was integrated from
    open_triangles: float  # share of triangles of coherent arcs that do not close
    residues: np.ndarray  # int (time,): triangles around which the wrapped phase does not close
    corrected: np.ndarray  # float64 (time,): share of arcs that needed a cycle
    disagreeing: float  # share of points in overlaps whose cycles differ from those of the tie on some date
    open_loops: float  # share of dates, of ties that were not needed, on which cycles do not close

    def around(self, positions: np.ndarray) -> Surroundings:
        """What further points are held against; `positions` float (n, 2), m, of the network's points."""
        return Surroundings(positions, self.cluster, self.coherence, self.phases.residual)


class _Tie(NamedTuple):
    first: int  # part
    second: int
    cycles: np.ndarray  # int (time,): of the first less the second
    model: np.ndarray  # (2,): velocity and height error of the first less the second
    points: int
    disagreeing: int


def tie_blocks(blocks: Sequence[Block], store: TileStore, geometry: StackGeometry, config: NetworkConfig) -> Tied:
    """Put blocks together.

    Where two blocks share points, both have unwrapped the same phases: at each date they differ by whole cycles, one
    number for all points of two clusters. The clusters of all blocks are joined along the spanning tree of the
    best-supported ties; the other ties close loops, and say how many cycles do not.

    Parameters
    ----------
    blocks, store
        :func:`block_plan`, and what :class:`SolveBlock` made of each.
    geometry, config
        The stack, and the options of the network.
    """
    size = sum(len(block.own) for block in blocks)
    model, coherence = np.full((2, size), np.nan), np.full(size, np.nan)
    part, number, column = np.full((3, size), -1, np.int32)
    first_part, ties, counted = [0], [], []
    for block in blocks:
        each = store.read(block.index)
        mine = np.searchsorted(block.points, block.own)
        number[block.own], column[block.own] = block.index, mine
        mine = mine[each["cluster"][mine] >= 0]
        own = block.points[mine]
        part[own], model[:, own] = first_part[-1] + each["cluster"][mine], each["model"][:, mine]
        coherence[own] = each["coherence"][mine]
        first_part.append(first_part[-1] + int(each["cluster"].max(initial=-1)) + 1)
        counted.append([each[name] for name in ("arcs", "open_triangles", "corrected", "residues")])
    for a, b in combinations(range(len(blocks)), 2):
        ties += _ties((blocks[a], blocks[b]), (first_part[a], first_part[b]), store)
    cycles, moved, label, open_loops = _joined(ties, max(first_part[-1], 1), len(geometry.days))
    cluster = _ranked(np.append(label, -1)[part], config.min_cluster)
    part[cluster < 0] = -1
    model += moved[part].T
    for each in range(cluster.max(initial=-1) + 1):
        inside = cluster == each
        model[:, inside] -= model[:, inside].mean(axis=1, keepdims=True)
    model[:, cluster < 0] = coherence[cluster < 0] = np.nan
    arcs, triangles, corrected, residues = (np.stack(each) for each in zip(*counted, strict=True))
    weight = arcs[:, 0].astype(float)
    return Tied(
        cluster,
        coherence,
        TiedPhases(
            StoredSeries(store, "phase", len(geometry.days), number, column), part, cycles, model, geometry.rates
        ),
        int(arcs[:, 1].sum()),
        int(arcs[:, 2].sum()),
        float(np.average(triangles, weights=weight)),
        residues.sum(axis=0),
        np.average(corrected, axis=0, weights=weight),
        sum(tie.disagreeing for tie in ties) / max(sum(tie.points for tie in ties), 1),
        open_loops,
    )


def _ties(pair: tuple[Block, Block], first_part: tuple[int, int], store: TileStore) -> list[_Tie]:
    """Ties of the clusters of two blocks."""
    _, *at = np.intersect1d(pair[0].points, pair[1].points, assume_unique=True, return_indices=True)
    if len(at[0]) < _LEAST_SHARED:
        return []
    shared = [
        {name: read[name][..., each] for name in ("cluster", "model", "phase")}
        for read, each in ((store.read(block.index), each) for block, each in zip(pair, at, strict=True))
    ]
    labels = np.stack([each["cluster"] for each in shared])
    ties = []
    for one, other in np.unique(labels[:, (labels >= 0).all(axis=0)], axis=1).T:
        both = (labels[0] == one) & (labels[1] == other)
        if both.sum() < _LEAST_SHARED:
            continue
        phases, models = ([each[name][:, both] for each in shared] for name in ("phase", "model"))
        apart = np.rint((phases[0] - phases[1]) / (2 * np.pi)).astype(int)
        cycles = np.rint(np.median(apart, axis=1)).astype(int)
        model = np.median(models[0] - models[1], axis=1)
        wrong = int((apart != cycles[:, None]).any(axis=0).sum())
        ends = int(first_part[0] + one), int(first_part[1] + other)
        ties.append(_Tie(*ends, cycles, model, int(both.sum()), wrong))
    return ties


def _joined(ties: list[_Tie], parts: int, dates: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """What is added to each part: cycles (part, time) and model (part, 2); its label; share of loops that are open."""
    cycles, model = np.zeros((parts, dates), int), np.zeros((parts, 2))
    if not ties:
        return cycles, model, np.arange(parts), 0.0
    ends = np.array([(tie.first, tie.second) for tie in ties])
    cost = 1.0 / np.array([1 + tie.points - tie.disagreeing for tie in ties])
    graph = coo_array((cost, tuple(ends.T)), shape=(parts, parts)).tocsr()
    _, label = connected_components(graph, directed=False)
    tree = minimum_spanning_tree(graph)
    number = {tuple(pair): k for k, pair in enumerate(ends.tolist())}
    used = set()
    for root in np.unique(label, return_index=True)[1]:
        order, before = breadth_first_order(tree, root, directed=False)
        for part in order[1:]:
            parent = int(before[part])
            sign, pair = (1, (parent, int(part))) if (parent, int(part)) in number else (-1, (int(part), parent))
            tie = ties[number[pair]]
            used.add(number[pair])
            cycles[part], model[part] = cycles[parent] + sign * tie.cycles, model[parent] + sign * tie.model
    loops = [ties[k] for k in range(len(ties)) if k not in used]
    gaps = [(cycles[tie.first] + tie.cycles - cycles[tie.second]) != 0 for tie in loops]
    return cycles, model, label, float(np.mean(gaps)) if gaps else 0.0


def _ranked(cluster: np.ndarray, least: int) -> np.ndarray:
    """Clusters renumbered by their size, largest first; -1 for those of fewer points."""
    count = np.bincount(cluster[cluster >= 0])
    order = np.argsort(-count, kind="stable")
    rank = np.full(len(count) + 1, -1)
    rank[order] = np.where(count[order] >= least, np.arange(len(count)), -1)
    return rank[cluster]
