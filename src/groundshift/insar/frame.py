"""The network of a stack: solved in blocks, held against itself, and what its points share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from pyproj import Transformer

from groundshift.engine import TileStore, run
from groundshift.errors import InputError, RunError
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.motion.clusters import Frame, cluster_frames
from groundshift.insar.network.acceptance import acceptance_threshold
from groundshift.insar.network.blocks import SolveBlock, Tied, block_plan, tie_blocks
from groundshift.insar.parts import thinned
from groundshift.insar.scan import NetworkPixels
from groundshift.insar.second_pass import HoldBlock, SolvedNetwork
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import layers_at, local_positions

log = logging.getLogger(__name__)

_LEAST_POINTS = 10
_SHORT = 365.0  # days of a series in which a velocity is not told from a season
_FRAME_POINTS = 200_000  # of a cluster's network, at most, that its atmosphere and virtual reference are found from


class Framed(NamedTuple):
    """What pixels are held against."""

    solved: SolvedNetwork
    frames: list[Frame | None]
    threshold: float  # of temporal coherence
    report: dict[str, Any]


def frame_network(
    stack: xr.Dataset,
    candidates: NetworkPixels,
    plane: Transformer,
    geometry: StackGeometry,
    config: BasicConfig,
    stores: Callable[[str], TileStore],
    where: dict[str, Any],
) -> Framed:
    """The network, what its points share, and the coherence that noise would not reach."""
    if len(candidates.rows) < _LEAST_POINTS:
        raise InputError(
            f"{len(candidates.rows)} of {stack.sizes['y'] * stack.sizes['x']} pixels are candidates; give an area with "
            "buildings or rocks, or a larger network_dispersion"
        )
    if (span := geometry.days[-1] - geometry.days[0]) < _SHORT:
        log.warning(
            "the dates span %.0f days: a velocity is hardly told from a season in less than a year; see the standard "
            "deviations, or give more dates", span,
        )  # fmt: skip
    positions = local_positions(stack, plane, candidates.rows, candidates.columns)
    blocks = block_plan(positions, most=config.block, overlap=config.overlap)
    step = SolveBlock(positions, candidates.phases, geometry, config.network)
    run(step, blocks, store=stores("blocks"), label="unwrapping", units="blocks", **where)
    tied = tie_blocks(blocks, stores("blocks"), geometry, config.network)
    if (tied.cluster < 0).all():
        raise RunError("no cluster of points holds together; give more images, or a lower min_coherence of arcs")
    threshold = acceptance_threshold(geometry, config.network.search, probability=config.false_alarms, seed=config.seed)
    hold = HoldBlock(positions, candidates.phases, geometry, tied, config.network.search)
    run(hold, blocks, store=stores("held"), label="comparing", units="blocks", **where)
    coherence = np.empty(len(positions))
    for block in blocks:
        coherence[block.own] = stores("held").read(block.index)["coherence"]
    numbers = candidates.rows * stack.sizes["x"] + candidates.columns
    solved = SolvedNetwork(numbers, positions, tied, coherence)
    kept = coherence > threshold.coherence
    log.info("%d points of the network have a coherence above %.3f", kept.sum(), threshold.coherence)
    frames = _frames(stack, candidates, solved, kept, geometry, config)
    report = {"acceptance": threshold._asdict(), **_of_network(candidates, tied, kept, frames)}
    return Framed(solved, frames, threshold.coherence, report)


def _frames(
    stack: xr.Dataset,
    candidates: NetworkPixels,
    solved: SolvedNetwork,
    kept: np.ndarray,
    geometry: StackGeometry,
    config: BasicConfig,
) -> list[Frame | None]:
    """What the points of each cluster share, from those of its points that are kept, or from some of them."""
    frames = []
    for label in range(solved.tied.cluster.max() + 1):
        members = np.flatnonzero(kept & (solved.tied.cluster == label))
        if not members.size:
            frames.append(None)
            continue
        some = members[thinned(solved.numbers[members], _FRAME_POINTS)]
        heights = layers_at(stack, ("height",), candidates.rows[some], candidates.columns[some])["height"]
        frames += cluster_frames(
            solved.positions[some], heights, solved.tied.phases.phase(some), np.zeros(len(some), int), geometry,
            atmosphere=config.atmosphere, reference=config.virtual_reference,
        )  # fmt: skip
    return frames


def _of_network(candidates: NetworkPixels, tied: Tied, kept: np.ndarray, frames: list[Frame | None]) -> dict[str, Any]:
    """What is reported of the network."""
    return {
        "candidates": len(kept),
        "candidates_distributed": int(np.count_nonzero(candidates.neighbours)),
        "arcs": tied.arcs,
        "arcs_accepted": tied.accepted,
        "open_triangles": tied.open_triangles,
        "arcs_with_a_cycle": tied.corrected.mean(),
        "disagreeing_overlaps": tied.disagreeing,
        "open_loops": tied.open_loops,
        "points_of_network": int(kept.sum()),
        "atmosphere_mm": [
            None if each is None or each.atmosphere is None else np.sqrt(np.mean(each.atmosphere.scale**2))
            for each in frames
        ],
    }
