"""`network`: phase correlation of large windows, refined at every pixel by a small trained network, then sharpened.

The network says at each pixel how far the ground moved and how sure that is. Its answer then counts as a measurement
beside those of small windows, of which the piecewise smooth field is made, with its jumps put in place
(`groundshift.optical.piecewise`): a network with few layers smears a fault over some pixels, which is mended so.

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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.kernels.gaussian import smoothed
from groundshift.kernels.network_inputs import network_answer, network_inputs
from groundshift.kernels.spline import coefficients
from groundshift.kernels.threads import available_cores
from groundshift.kernels.total_variation import Field
from groundshift.model.reason import Reason
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Method, Nodes, PixelFlow, flow_where_valid
from groundshift.optical.piecewise import Images, Known, Pair, bound, improved, misplaced, near_jumps, usable
from groundshift.optical.refinement import PreparedPair, Refine, prepared, refined, variance
from groundshift.optical.rupture import settled

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig

WEIGHTS, CARD = "network.onnx", "network.json"
MULTIPLE = 16
"""Sides of what the network is given are multiples of this, pixels: it halves them a few times."""

_BLOCK = 768  # pixels
_LARGE = 2**26  # bytes that the network is given, from which on what it took for a step is given back after it
_HALO = 128  # pixels that the steps see, beyond what the first field does
_ITERATIONS = (10, 40, 60, 60), (20, 40, 60, 60)
"""Of the prior, each time that the field is measured by small windows and made piecewise smooth; the network's field is
close, so the full grid needs few."""
_WINDOW, _JUMP = 1.0, 0.04  # pixels: Gaussian sigma of these windows; a jump between pixels that is a fault
_SHARPEN = 2.5  # pixels: Gaussian sigma of the window in which images are compared beside jumps
_WORTH = 0.05  # share of the information of the network that counts: errors of pixels beside each other are alike
_WORTH_ALONE = 0.0025
"""The same for sigma: where windows say nothing, the variance that is their part is twice what the network tells."""
_TOLD = 0.9  # weight of the variance that the network tells, against that of the windows
_UNLIKE, _UNLIKE_WIDTH, _UNLIKE_AROUND = 0.6, 0.1, 12.0
"""Mean correlation of windows at which the images have as likely nothing in common as not, and how fast that changes;
Gaussian sigma of the mean, pixels."""
_UNLIKE_FACTOR, _UNLIKE_POWER = 2.6, 1.3  # of the variance that the network tells, pixels², where nothing is in common
"""Fitted, with `_TOLD`, on validation samples, in some of which half or all of the second image is foreign: the
likelihood of normal errors is largest."""
_LEAST_VARIANCE = 1e-4  # pixels²
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
    weights, card = read_weights(folder)
    refine = runner(weights, windows=card["windows"], reaches=card["reaches"])
    return Network(refine, card["iterations"], card["variance_factor"])


def read_weights(folder: str | None = None) -> tuple[bytes, dict[str, Any]]:
    """The ONNX file and the card of a network, see :func:`load`."""
    place = resources.files("groundshift.optical") / "weights" if folder is None else Path(folder)
    try:
        weights, card = (place / WEIGHTS).read_bytes(), json.loads((place / CARD).read_text("utf-8"))
        said, *_ = (card[key] for key in ("sha256", "iterations", "variance_factor", "windows", "reaches"))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{place} holds no network ({error}); expected {WEIGHTS} and {CARD}, as training leaves them"
        ) from error
    found = hashlib.sha256(weights).hexdigest()
    if found != said:
        raise InputError(
            f"the weights in {place} have the checksum {found[:8]}…, not {said[:8]}… as on their card; fetch them again"
        )
    return weights, card


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

    def refine(first: np.ndarray, second: np.ndarray, weight: np.ndarray, flow: np.ndarray) -> np.ndarray:
        shape = first.shape
        fill = [(0, 0), *((0, -side % MULTIPLE) for side in shape)]
        given = (first[None], "edge"), (second[None], "edge"), (weight[None], "constant"), (flow, "edge")
        *images, field = (np.pad(each, fill, mode=mode).astype(np.float32) for each, mode in given)
        seen = network_inputs(*(each[0] for each in images), field, windows=windows, reaches=reaches)
        found = session.run(None, {"seen": seen[None]}, giving_back if seen.nbytes > _LARGE else None)[0][0]
        answer = network_answer(seen, found, field, windows=len(windows), reaches=len(reaches))
        return answer[:, : shape[0], : shape[1]]

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
    flow, weight, both = _sharp(pair, answer)
    at = nodes.pixels()
    dx, dy = flow[0][at], flow[1][at]
    sigmas = [np.sqrt(network.variance_factor * each[at]) for each in both]
    reason = np.zeros(dx.shape, np.uint8)
    reason[np.hypot(dx, dy) > max_displacement] = Reason.OUT_OF_RANGE
    reason[np.maximum(*sigmas) > _LARGEST_SIGMA] = Reason.NO_MATCH
    reason[weight[at] == 0] = Reason.NO_DATA
    quality = 1 / (1 + np.hypot(*sigmas) / _QUALITY_SIGMA)
    layers = (dx, dy, *sigmas, quality)
    return flow_where_valid(layers, reason)


def _sharp(pair: PreparedPair, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The piecewise smooth field of an answer and of what small windows measure, its weight, and its variance.

    Field (2, y, x), pixels; weight (y, x), 1 where both images can be used, else 0; variance (2, y, x), pixels², up to
    a factor. It is a weighted geometric mean of what the network tells, which knows best where ground has changed, and
    of what the windows say; where these know nothing for want of texture, theirs is a multiple of what the network
    tells. Where the images do not agree over a wide window, what windows say means nothing, and the network, which was
    trained on images that do, tells too little.
    """
    images = Images(pair.first_scaled, pair.second_scaled, pair.first_weight, pair.second_weight)
    matched = Pair(images, coefficients(pair.second_scaled), pair.first, pair.second)
    told = variance(answer)
    sure_x, sure_y = 1 / (told + _LEAST_VARIANCE)
    sure = np.stack([sure_x, np.zeros_like(sure_x), sure_y]).astype(np.float32)
    known = Known(_WORTH * sure, answer[:2])
    field = Field(answer[:2], np.zeros((4, *answer.shape[1:]), np.float32))
    for iterations in _ITERATIONS:
        field, windows = improved(
            matched, field, window=_WINDOW, jump=_JUMP, sharpen=_SHARPEN, known=known, iterations=iterations
        )
    seen = bound(windows.information + _WORTH_ALONE * sure) + misplaced(field, windows)
    flow = settled(pair.first, pair.second, field, near_jumps(field))
    weight = usable(pair.first_weight, pair.second_weight, flow)
    unlike = _unlike(windows.correlation, weight)
    alike = (1 - unlike) * told**_TOLD * seen ** (1 - _TOLD)
    return flow, weight, alike + unlike * _UNLIKE_FACTOR * told**_UNLIKE_POWER


def _unlike(correlation: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """How likely the images have nothing in common around each pixel, (y, x): logistic in their mean correlation.

    Small windows of unlike images agree by chance, as the field is the one under which they agree best; wide ones of
    like images nearly always agree.
    """
    around = smoothed(weight * correlation, _UNLIKE_AROUND) / np.maximum(smoothed(weight, _UNLIKE_AROUND), 1e-3)
    return 1 / (1 + np.exp((around - _UNLIKE) / _UNLIKE_WIDTH))


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
