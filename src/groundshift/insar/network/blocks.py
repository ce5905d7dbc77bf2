"""A network in parts: overlapping blocks are solved and unwrapped on their own, then tied by the points they share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from groundshift.insar.network.arcs import Arcs, Network, NetworkConfig, solve_network
from groundshift.insar.network.unwrap import Unwrapped, unwrap_network
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
    """Step over blocks: the fields of a :class:`Network` and an :class:`Unwrapped` of a block's points."""

    positions: np.ndarray
    phases: np.ndarray
    geometry: StackGeometry
    config: NetworkConfig

    def __call__(self, block: Block) -> dict[str, np.ndarray]:
        place, phases = self.positions[block.points], self.phases[:, block.points]
        network = solve_network(place, phases, self.geometry, self.config)
        unwrapped = unwrap_network(place, phases, self.geometry, network)
        arcs = network.arcs
        return {
            "model": np.stack([network.velocity, network.height]),
            "sigma": np.stack([network.velocity_sigma, network.height_sigma]),
            "cluster": network.cluster,
            "ends": arcs.ends,
            "estimates": arcs.estimates,
            "arc_coherence": arcs.coherence,
            "accepted": network.accepted,
            "misfit": network.misfit,
            "open_triangles": np.array(network.open_triangles),
            "phase": unwrapped.phase,
            "coherence": unwrapped.coherence,
            "residues": unwrapped.residues,
            "corrected": unwrapped.corrected,
        }


class Tied(NamedTuple):
    """The network as if it had been solved at once."""

    network: Network
    unwrapped: Unwrapped
    disagreeing: float  # share of points in overlaps whose cycles differ from those of the tie on some date
    open_loops: float  # share of dates, of ties that were not needed, on which cycles do not close


class _Tie(NamedTuple):
    first: int  # part
    second: int
    cycles: np.ndarray  # int (time,): of the first less the second
    model: np.ndarray  # (2,): velocity and height error of the first less the second
    points: int
    disagreeing: int


def tie_blocks(
    blocks: Sequence[Block], solved: Sequence[dict[str, np.ndarray]], geometry: StackGeometry, config: NetworkConfig
) -> Tied:
    """Put blocks together.

    Where two blocks share points, both have unwrapped the same phases: at each date they differ by whole cycles, one
    number for all points of two clusters. The clusters of all blocks are joined along the spanning tree of the
    best-supported ties; the other ties close loops, and say how many cycles do not.

    Parameters
    ----------
    blocks, solved
        :func:`block_plan`, and what :class:`SolveBlock` made of each.
    geometry, config
        The stack, and the options of the network.
    """
    first_part = np.cumsum([0, *(int(each["cluster"].max(initial=-1)) + 1 for each in solved)])
    ties = _ties(blocks, solved, first_part)
    cycles, model, label, open_loops = _joined(ties, int(first_part[-1]), len(geometry.days))
    size = sum(len(block.own) for block in blocks)
    values, sigma = np.full((2, 2, size), np.nan)
    phase = np.full((len(geometry.days), size), np.nan, np.float32)
    coherence, cluster = np.full(size, np.nan), np.full(size, -1)
    for block, each, start in zip(blocks, solved, first_part, strict=False):
        mine = np.searchsorted(block.points, block.own)
        mine = mine[each["cluster"][mine] >= 0]
        part, own = start + each["cluster"][mine], block.points[mine]
        values[:, own], sigma[:, own] = each["model"][:, mine] + model[part].T, each["sigma"][:, mine]
        phase[:, own] = each["phase"][:, mine] + 2 * np.pi * cycles[part].T
        coherence[own], cluster[own] = each["coherence"][mine], label[part]
    cluster = _ranked(cluster, config.min_cluster)
    for number in range(cluster.max(initial=-1) + 1):
        inside = cluster == number
        values[:, inside] -= values[:, inside].mean(axis=1, keepdims=True)
    dropped = cluster < 0
    values[:, dropped] = sigma[:, dropped] = phase[:, dropped] = coherence[dropped] = np.nan
    residual = np.empty_like(phase)
    for date, rate in enumerate(geometry.rates.T):
        residual[date] = phase[date] - rate @ values
    weight = np.array([len(each["ends"]) for each in solved], float)
    shares = [np.average(np.stack([each[name] for each in solved]), axis=0, weights=weight)
              for name in ("open_triangles", "corrected")]  # fmt: skip
    arcs, accepted, misfit = _own_arcs(blocks, solved)
    network = Network(values[0], values[1], sigma[0], sigma[1], cluster, arcs, accepted, misfit, float(shares[0]))
    residues = np.sum([each["residues"] for each in solved], axis=0)
    shared = sum(tie.points for tie in ties)
    return Tied(
        network,
        Unwrapped(phase, residual, coherence, residues, shares[1]),
        sum(tie.disagreeing for tie in ties) / max(shared, 1),
        open_loops,
    )


def _ties(blocks: Sequence[Block], solved: Sequence[dict[str, np.ndarray]], first_part: np.ndarray) -> list[_Tie]:
    ties = []
    for a, b in combinations(range(len(blocks)), 2):
        _, at_a, at_b = np.intersect1d(blocks[a].points, blocks[b].points, assume_unique=True, return_indices=True)
        labels = np.stack([solved[a]["cluster"][at_a], solved[b]["cluster"][at_b]])
        for one, other in np.unique(labels[:, (labels >= 0).all(axis=0)], axis=1).T:
            both = (labels[0] == one) & (labels[1] == other)
            if both.sum() < _LEAST_SHARED:
                continue
            i, j = at_a[both], at_b[both]
            apart = np.rint((solved[a]["phase"][:, i] - solved[b]["phase"][:, j]) / (2 * np.pi)).astype(int)
            cycles = np.rint(np.median(apart, axis=1)).astype(int)
            model = np.median(solved[a]["model"][:, i] - solved[b]["model"][:, j], axis=1)
            wrong = int((apart != cycles[:, None]).any(axis=0).sum())
            ties.append(_Tie(int(first_part[a] + one), int(first_part[b] + other), cycles, model, len(i), wrong))
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


def _own_arcs(blocks: Sequence[Block], solved: Sequence[dict[str, np.ndarray]]) -> tuple[Arcs, np.ndarray, np.ndarray]:
    """Arcs of all blocks, each once: in the block whose own its first point is."""
    kept = [np.isin(block.points[each["ends"][:, 0]], block.own) for block, each in zip(blocks, solved, strict=True)]
    ends = np.concatenate([block.points[each["ends"][k]] for block, each, k in zip(blocks, solved, kept, strict=True)])
    columns = ("estimates", "arc_coherence", "accepted", "misfit")
    values = [np.concatenate([each[name][k] for each, k in zip(solved, kept, strict=True)]) for name in columns]
    return Arcs(ends, values[0], values[1]), values[2], values[3]
