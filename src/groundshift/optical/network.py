"""`network`: phase correlation of large windows, refined at every pixel by a small trained network.

What the network is, and how it was trained, is in `groundshift.train`; here it only runs, in onnxruntime. Its weights
and their card (what it was trained on, how it scores) come with the package.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.model.reason import Reason
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Method, Nodes, PixelFlow, flow_where_valid
from groundshift.optical.refinement import Refine, prepared, refined, variance, warped

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig

WEIGHTS, CARD = "network.onnx", "network.json"
MULTIPLE = 16
"""Sides of what the network is given are multiples of this, pixels: it halves them a few times."""

_BLOCK = 1024  # pixels
_HALO = 128  # pixels that the steps see, beyond what the first field does
_LARGEST_SIGMA = 1.0  # pixels; beyond it nothing was measured
_QUALITY_SIGMA = 0.2  # pixels, both components together, at which quality is halved


class Network(NamedTuple):
    """A trained network, ready to run."""

    refine: Refine
    iterations: int
    variance_factor: float  # by which the variance that it tells is too small


@lru_cache(maxsize=2)
def load(folder: str | None = None) -> Network:
    """A network from a folder with its weights and their card; the one that comes with the package if None.

    Raises
    ------
    InputError
        If there is none, or its weights are not those of its card.
    """
    place = resources.files("groundshift.optical") / "weights" if folder is None else Path(folder)
    try:
        weights, card = (place / WEIGHTS).read_bytes(), json.loads((place / CARD).read_text("utf-8"))
        said, iterations, factor = card["sha256"], card["iterations"], card["variance_factor"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{place} holds no network ({error}); expected {WEIGHTS} and {CARD}, as training leaves them"
        ) from error
    found = hashlib.sha256(weights).hexdigest()
    if found != said:
        raise InputError(
            f"the weights in {place} have the checksum {found[:8]}…, not {said[:8]}… as on their card; fetch them again"
        )
    return Network(runner(weights), iterations, factor)


def runner(weights: bytes) -> Refine:
    """A step of the network from its ONNX file; one thread, so that it answers the same wherever it runs."""
    import onnxruntime  # takes a second to import, and other methods do without

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    chosen = [each for each in ("CUDAExecutionProvider", "CPUExecutionProvider") if each in available]
    session = onnxruntime.InferenceSession(weights, options, providers=chosen)

    def refine(first: np.ndarray, second: np.ndarray, weight: np.ndarray, flow: np.ndarray) -> np.ndarray:
        shape = first.shape
        fill = [(0, 0), *((0, -side % MULTIPLE) for side in shape)]
        given = {"first": first[None], "second": second[None], "weight": weight[None], "flow": flow}
        padded = {
            name: np.pad(each, fill, mode="constant" if name == "weight" else "edge")[None].astype(np.float32)
            for name, each in given.items()
        }
        return session.run(None, padded)[0][0, :, : shape[0], : shape[1]]

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
    answer = refined(pair, network.refine, iterations=network.iterations)
    weight = warped(pair, answer[:2])[1]
    at = nodes.pixels()
    dx, dy = answer[0][at], answer[1][at]
    sigmas = [np.sqrt(network.variance_factor * each[at]) for each in variance(answer)]
    reason = np.zeros(dx.shape, np.uint8)
    reason[np.hypot(dx, dy) > max_displacement] = Reason.OUT_OF_RANGE
    reason[np.maximum(*sigmas) > _LARGEST_SIGMA] = Reason.NO_MATCH
    reason[weight[at] == 0] = Reason.NO_DATA
    quality = 1 / (1 + np.hypot(*sigmas) / _QUALITY_SIGMA)
    layers = (dx, dy, *sigmas, quality)
    return flow_where_valid(layers, reason)


NETWORK = Method(
    name="network",
    summary="every pixel, by a trained network that refines phase correlation",
    source="after Montagnon et al.; Teed & Deng 2020; Ronneberger et al. 2015",
    dense=True,
    block=_BLOCK,
    reach=_reach,
    measure=_measure,
)
