"""`dense`: displacement at every pixel, smooth where the ground is and sharp where it broke.

*Coarse*: zero-mean normalised cross-correlation of small windows for whole-pixel candidates, made consistent by
semi-global matching, from the top of an image pyramid down. Then windows of three sizes, one after the other, measure
and sharpen, see `groundshift.optical.piecewise`. What the images do not tell has a sigma that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from groundshift.kernels.cost_volume import best_candidates, semi_global, zncc_costs
from groundshift.kernels.gaussian import smoothed
from groundshift.kernels.spline import scaled
from groundshift.kernels.total_variation import Field
from groundshift.model.reason import Reason
from groundshift.optical.methods import Method, Nodes, PixelFlow, flow_where_valid
from groundshift.optical.piecewise import Images, Measurement, improved, ready, usable, variance_of

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig

_TOP_RADIUS = 4  # candidates at the top of the pyramid reach at least this far, pixels there
_HALF_WINDOW = 6  # of the coarse stage, pixels
_SLOPE, _CEILING = 1.2, 3.0  # penalties of semi-global matching, in units of 1 − ZNCC
_MEMORY = 0.97  # of its paths


class _Stage(NamedTuple):
    """A few alternations of fine and prior with one size of window; jumps are sharpened before the last of them."""

    window: float  # Gaussian sigma, pixels
    alternations: int
    jump: float  # a difference between neighbours, pixels, at which the penalty on jumps is halved; 0 keeps it


_STAGES = (_Stage(8.0, 4, 0.0), _Stage(4.0, 3, 0.05), _Stage(2.5, 4, 0.05))
_SHARPEN = 2.0  # pixels: Gaussian sigma of the window in which images are compared beside jumps


# --- coarse ---------------------------------------------------------------------------------------------------------


def _halved(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and weight at half the resolution."""
    total = smoothed(weight, 1.0)
    smooth = smoothed(values * weight, 1.0) / np.maximum(total, 1e-6)
    even = tuple(slice(0, side // 2 * 2) for side in values.shape)

    def block_mean(a: np.ndarray) -> np.ndarray:
        a = a[even]
        return (a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2]) / 4

    return block_mean(smooth).astype(np.float32), (block_mean(weight) > 0.5).astype(np.float32)


def _levels(max_displacement: float) -> int:
    """Number of times the images are halved, so that the search at the top stays small."""
    levels = 0
    while max_displacement / 2**levels > _TOP_RADIUS:
        levels += 1
    return levels


def _coarse(images: Images, max_displacement: float) -> np.ndarray:
    """Whole-pixel displacement at every pixel, float32 (2, y, x)."""
    pyramid = [images]
    for _ in range(_levels(max_displacement)):
        pre, pre_weight = _halved(pyramid[-1].pre, pyramid[-1].pre_weight)
        post, post_weight = _halved(pyramid[-1].post, pyramid[-1].post_weight)
        pyramid.append(Images(pre, post, pre_weight, post_weight))
    found = None
    for level in reversed(range(len(pyramid))):
        shape = pyramid[level].pre.shape
        if found is None:
            prior = np.zeros((2, *shape), np.int32)
            radius = int(np.ceil(max_displacement / 2**level))
        else:
            prior = np.stack(
                [np.pad(2 * each.repeat(2, 0).repeat(2, 1), _fill(each, shape), mode="edge") for each in found]
            )
            radius = 1
        costs = zncc_costs(*pyramid[level], *prior, radius, _HALF_WINDOW)
        total = semi_global(costs, *prior, radius=radius, slope=_SLOPE, ceiling=_CEILING, memory=_MEMORY)
        found = best_candidates(total, *prior, radius)
    return np.stack(found).astype(np.float32)


def _fill(coarse: np.ndarray, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """How far a doubled array falls short of `shape`: by one row or column if that is odd."""
    return [(0, side - 2 * half) for side, half in zip(shape, coarse.shape, strict=True)]


# --- fine -----------------------------------------------------------------------------------------------------------


def _refined(images: Images, start: np.ndarray) -> tuple[Field, Measurement]:
    """Alternate fine and prior; returns the field and what was measured around it last."""
    pair = ready(images)
    field = Field(start, np.zeros((4, *start.shape[1:]), np.float32))
    for stage in _STAGES:
        for alternation in range(stage.alternations):
            last = alternation == stage.alternations - 1
            field, measured = improved(
                pair, field, window=stage.window, jump=stage.jump, sharpen=_SHARPEN if last else 0
            )
    return field, measured


# --- result ---------------------------------------------------------------------------------------------------------

_LARGEST_SIGMA = 1.0  # pixels; beyond it nothing was measured


_BLOCK = 1024  # pixels; the prior sees everything it is given, so that what it is given must not depend on tiles
_HALO = 96  # pixels; what the fine stage sees further away moves a pixel by less than 1e-3 pixels
_COARSE_HALO = 160  # pixels; the same for the coarse stage and its paths
_LATTICE = 16  # pixels; the fine stage begins at a multiple of this, so that its grids halve the same pixels


def _reach(config: PairConfig) -> int:
    return _COARSE_HALO + int(np.ceil(config.max_displacement))


def _measure(pre: np.ndarray, post: np.ndarray, nodes: Nodes, config: PairConfig) -> PixelFlow:
    (pre_scaled, pre_weight), (post_scaled, post_weight) = scaled(pre), scaled(post)
    images = Images(pre_scaled, post_scaled, pre_weight, post_weight)
    coarse = _coarse(images, config.max_displacement)
    rows, cols = (_fine_span(each, side, config.max_displacement) for each, side in zip(nodes, pre.shape, strict=True))
    images = Images(*(each[rows, cols] for each in images))
    nodes = Nodes(nodes.rows - rows.start, nodes.cols - cols.start)
    field, measured = _refined(images, np.ascontiguousarray(coarse[:, rows, cols]))
    variance = variance_of(field, measured)

    at = nodes.pixels()
    sigma_x, sigma_y = np.sqrt(variance[0][at]), np.sqrt(variance[1][at])
    dx, dy = field.u[0][at], field.u[1][at]
    reason = np.zeros(dx.shape, np.uint8)
    reason[np.hypot(dx, dy) > config.max_displacement] = Reason.OUT_OF_RANGE
    reason[np.maximum(sigma_x, sigma_y) > _LARGEST_SIGMA] = Reason.NO_MATCH
    reason[usable(images.pre_weight, images.post_weight, field.u)[at] == 0] = Reason.NO_DATA
    layers = (dx, dy, sigma_x, sigma_y, measured.correlation[at])
    return flow_where_valid(layers, reason)


def _fine_span(positions: np.ndarray, side: int, max_displacement: float) -> slice:
    """Pixels along one axis that the fine stage needs for nodes at these positions."""
    halo = _HALO + int(np.ceil(max_displacement))
    start = max(0, int(positions[0]) - halo) // _LATTICE * _LATTICE
    return slice(start, min(side, int(positions[-1]) + halo + 2))


DENSE = Method(
    name="dense",
    summary="every pixel, piecewise smooth, sharp at faults; nothing learned",
    source="Hirschmüller 2008; Rosu et al. 2015; Bruhn et al. 2005; Bredies et al. 2010",
    dense=True,
    border=True,  # where its paths and windows end, accuracy is lost
    alike=25,
    block=_BLOCK,
    reach=_reach,
    measure=_measure,
)
