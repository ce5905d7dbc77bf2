"""`network`: phase correlation of large windows, refined at every pixel by a small trained network, then sharpened.

The network says at each pixel how far the ground moved and how sure that is. Its answer and what small windows measure
are made one sharp field (`groundshift.optical.sharp`), and a second network of the same kind, which was trained on such
fields, mends what is left.

What the network is, and how it was trained, is in `groundshift.train`; here it only runs, in onnxruntime. Its weights
and their card (what it was trained on, how it scores) come with the package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.kernels.network_inputs import network_answer, network_inputs
from groundshift.kernels.threads import available_cores
from groundshift.model.reason import Reason
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Method, Nodes, PixelFlow, flow_where_valid
from groundshift.optical.refinement import Refine, prepared, refined
from groundshift.optical.sharp import sharp

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from groundshift.optical.config import PairConfig

WEIGHTS, LAST, CARD = "network.onnx", "last.onnx", "network.json"
MULTIPLE = 16
"""Sides of what the network is given are multiples of this, pixels: it halves them a few times."""

_BLOCK = 768  # pixels
_LARGE = 2**26  # bytes that the network is given, from which on what it took for a step is given back after it
_HALO = 128  # pixels that the steps see, beyond what the first field does
_LARGEST_SIGMA = 0.9  # pixels; beyond it nothing was measured
_QUALITY_SIGMA = 0.2  # pixels, both components together, at which quality is halved


class Network(NamedTuple):
    """A trained network, ready to run."""

    refine: Refine
    iterations: int
    variance_factor: float  # by which the variance that it tells is too small
    last: Refine | None = None  # mends the sharp field


@lru_cache(maxsize=2)
def load(folder: str | None = None) -> Network:
    """A network from a folder with its weights and their card; the one that comes with the package if None.

    Raises
    ------
    InputError
        If there is none, or its weights are not those of its card.
    """
    card, weights, last = read_weights(folder)

    def step(weights: bytes, said: dict[str, Any]) -> Refine:
        return runner(weights, windows=said["windows"], reaches=said["reaches"])

    mends = None if last is None else step(last, card["last"])
    return Network(step(weights, card), card["iterations"], card["variance_factor"], mends)


def read_weights(folder: str | None = None) -> tuple[dict[str, Any], bytes, bytes | None]:
    """The card of a network, its ONNX file and that of its last step, None if it has none; see :func:`load`."""
    place = resources.files("groundshift.optical") / "weights" if folder is None else Path(folder)
    try:
        card = json.loads((place / CARD).read_text("utf-8"))
        weights = _whole(place / WEIGHTS, card)
        last = _whole(place / LAST, card["last"]) if card.get("last") else None
        _ = card["iterations"], card["variance_factor"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{place} holds no network ({error}); expected {WEIGHTS} and {CARD}, as training leaves them"
        ) from error
    return card, weights, last


def _whole(file: Traversable, card: dict[str, Any]) -> bytes:
    """An ONNX file with the checksum of its card."""
    weights = file.read_bytes()
    said, *_ = (card[key] for key in ("sha256", "windows", "reaches"))
    found = hashlib.sha256(weights).hexdigest()
    if found != said:
        raise InputError(
            f"the weights in {file} have the checksum {found[:8]}…, not {said[:8]}… as on their card; fetch them again"
        )
    return weights


def runner(weights: bytes, *, windows: Sequence[float], reaches: Sequence[int]) -> Refine:
    """A step of the network from its ONNX file; it answers the same on any number of cores.

    The file has the convolutions; what goes in and comes out is that of `groundshift.kernels.network_inputs`, where
    `windows` and `reaches` are described.
    """
    import onnxruntime  # takes a second to import, and other methods do without

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = available_cores(), 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other tiles want the cores too
    options.enable_mem_pattern = False  # it takes twice the memory and saves no time
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    chosen = [each for each in ("CUDAExecutionProvider", "CPUExecutionProvider") if each in available]
    session = onnxruntime.InferenceSession(weights, options, providers=chosen)

    giving_back = onnxruntime.RunOptions()
    giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def refine(
        first: np.ndarray, second: np.ndarray, weight: np.ndarray, flow: np.ndarray, told: np.ndarray | None = None
    ) -> np.ndarray:
        height, width = first.shape
        fill = (0, 0), (0, -height % MULTIPLE), (0, -width % MULTIPLE)

        def filled(planes: np.ndarray, mode: Literal["edge", "constant"] = "edge") -> np.ndarray:
            whole = np.pad(planes, fill, mode=mode) if np.any(fill) else planes
            return np.ascontiguousarray(whole, np.float32)

        images = filled(first[None])[0], filled(second[None])[0], filled(weight[None], "constant")[0]
        field, more = filled(flow), None if told is None else filled(told)
        seen = network_inputs(*images, field, windows=windows, reaches=reaches, told=more)
        found = session.run(None, {"seen": seen[None]}, giving_back if seen.nbytes > _LARGE else None)[0][0]
        answer = network_answer(seen, found, field, windows=len(windows), reaches=len(reaches))
        return answer[:, :height, :width]

    return refine


def _reach(config: PairConfig) -> int:
    return FREQUENCY.reach(config) + _HALO + int(np.ceil(config.max_displacement))


def _measure(pre: np.ndarray, post: np.ndarray, nodes: Nodes, config: PairConfig) -> PixelFlow:
    return measured(load(config.weights), pre, post, nodes, max_displacement=config.max_displacement)


def measured(
    network: Network, pre: np.ndarray, post: np.ndarray, nodes: Nodes, *, max_displacement: float
) -> PixelFlow:
    """Pixel flow at nodes by a network; images float32 (y, x), NaN without data."""
    pair = prepared(pre, post, max_displacement=max_displacement)
    found = sharp(pair, refined(pair, network.refine, iterations=network.iterations), network.last)
    at = nodes.pixels()
    dx, dy = found.flow[0][at], found.flow[1][at]
    sigmas = [np.sqrt(network.variance_factor * each[at]) for each in found.variance]
    reason = np.zeros(dx.shape, np.uint8)
    reason[np.hypot(dx, dy) > max_displacement] = Reason.OUT_OF_RANGE
    reason[np.maximum(*sigmas) > _LARGEST_SIGMA] = Reason.NO_MATCH
    reason[found.weight[at] == 0] = Reason.NO_DATA
    quality = 1 / (1 + np.hypot(*sigmas) / _QUALITY_SIGMA)
    layers = (dx, dy, *sigmas, quality)
    return flow_where_valid(layers, reason)


NETWORK = Method(
    name="network",
    summary="every pixel, by a trained network that refines phase correlation, sharp at faults",
    source="after Montagnon et al.; Teed & Deng 2020; Ronneberger et al. 2015",
    dense=True,
    alike=25,
    block=_BLOCK,
    reach=_reach,
    measure=_measure,
)
