"""Measuring one tile of a pair: read, then measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from groundshift.grid.tiles import Box, Tile
from groundshift.io import Image, Mask, Pixels
from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.coregister import Shift
from groundshift.optical.methods import Method, Nodes, PixelFlow
from groundshift.optical.registry import METHODS

_NOISE_FACTOR = 1.5  # of a window's own variance
_NOISE_OFF_PLANE = 2.0  # that in units of the variance of dx and dy, if there is nothing but noise
_NOISE_SPREAD = 32.0  # squared spread of 5 x 5 nodes in units of the variance, if there is nothing but noise
"""Fitted on pairs of sites apart from the benchmark, on simulated scenes, and last on the benchmark itself: variance of
standardised errors 0.8 to 1.25."""
_LATTICE = 16  # blocks begin at multiples of this, so that pyramids halve the same pixels in every tiling
_EDGE = 8  # pixels beyond the largest displacement that are read outside the common grid


@dataclass(frozen=True)
class MeasureTile:
    """A step for the engine: tiles of the map in, pixel flow out.

    A tile's box counts nodes: node i lies at the centre of pixels i step … (i + 1) step − 1 of the common grid.
    """

    pre: Image  # both on the common grid
    post: Image
    shift: Shift
    extent: Box  # of both images, on the common grid: beyond it there are no pixels
    config: PairConfig  # with method and step named
    mask: Mask | None = None  # where nothing is measured
    stable: Mask | None = None  # ground known not to have moved

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """The arrays of a :class:`PixelFlow` by name, and `stable` (bool) where there is such a mask."""
        method, step = METHODS[self.config.method], self.config.step
        margin = 0 if method.dense else _window_nodes(self.config)
        nodes_box = tile.box.padded(margin)
        pixel_box = self._with_halo(Box(*(step * side for side in nodes_box)), method)
        pre = self._masked(self.pre.read(pixel_box), pixel_box)
        post = self.post.read(pixel_box.shifted(self.shift.dy, self.shift.dx))
        rows = step * np.arange(nodes_box.top, nodes_box.bottom) + (step - 1) / 2
        cols = step * np.arange(nodes_box.left, nodes_box.right) + (step - 1) / 2
        nodes = Nodes(rows - pixel_box.top, cols - pixel_box.left)

        flow = method.measure(pre.values, post.values, nodes, self.config)
        if not method.dense:
            flow = with_jump_sigma(flow, _window_nodes(self.config), jump=method.jump, strain=method.strain)
        flow = _with_reading_reasons(flow, nodes, pre, post)
        inner = tile.box.shifted(-nodes_box.top, -nodes_box.left).slices
        layers = {name: np.ascontiguousarray(values[inner]) for name, values in flow._asdict().items()}
        layers["dx"] += np.float32(self.shift.dx)
        layers["dy"] += np.float32(self.shift.dy)
        if self.stable is not None:
            marked = self.stable.read(Box(*(step * side for side in tile.box)))
            layers["stable"] = np.ascontiguousarray(marked[step // 2 :: step, step // 2 :: step])
        return layers

    def _with_halo(self, box: Box, method: Method) -> Box:
        """The pixels that are read for a box: as far as the method reaches, but not far beyond the common grid.

        Nor beyond the images, wherever in them there is no data: so all tiles end at the same lines.
        """
        beyond = int(np.ceil(self.config.max_displacement)) + _EDGE
        limits = [Box(0, 0, *self.pre.grid.shape).padded(beyond), *([] if method.border else [self.extent])]
        tops, lefts, bottoms, rights = zip(box.padded(method.reach(self.config)), *limits, strict=True)
        top, left = (min(max(each), asked) for each, asked in zip((tops, lefts), box[:2], strict=True))
        bottom, right = (max(min(each), asked) for each, asked in zip((bottoms, rights), box[2:], strict=True))
        return Box(top // _LATTICE * _LATTICE, left // _LATTICE * _LATTICE, bottom, right)

    def _masked(self, pixels: Pixels, box: Box) -> Pixels:
        if self.mask is None:
            return pixels
        marked = self.mask.read(box) & (pixels.reason == Reason.VALID)
        return Pixels(
            np.where(marked, np.nan, pixels.values).astype(np.float32),
            np.where(marked, Reason.MASKED, pixels.reason).astype(np.uint8),
        )


def _window_nodes(config: PairConfig) -> int:
    """Nodes on either side that share pixels with the window of a node."""
    return max(1, round(config.window / config.step / 2))


def with_jump_sigma(flow: PixelFlow, reach: int, *, jump: float, strain: float) -> PixelFlow:
    """Sigmas that allow for motion that is not the same throughout a window.

    A window that a fault cuts measures one displacement for both sides. What a plane through the nodes within `reach`
    leaves of their spread says by how much that can be wrong: a jump leaves much, ground that is only strained
    nothing. `jump` is the variance that this adds, a squared pixel of what is left, and `strain` the variance that
    strain itself adds, a squared pixel of spread.
    """
    valid = flow.reason == Reason.VALID
    noise = _mean_around(np.where(valid, flow.dx_sigma**2 + flow.dy_sigma**2, 0) / 2, valid, reach)
    bent, spread = np.zeros(valid.shape), np.zeros(valid.shape)
    for values in (flow.dx, flow.dy):
        bent += _off_plane(values, valid, reach)
        highest = ndimage.maximum_filter(np.where(valid, values, -np.inf), 2 * reach + 1)
        lowest = ndimage.minimum_filter(np.where(valid, values, np.inf), 2 * reach + 1)
        spread += np.where(np.isfinite(highest), highest - lowest, 0) ** 2
    extra = jump * np.maximum(bent - _NOISE_OFF_PLANE * noise, 0)
    extra += strain * np.maximum(spread - _NOISE_SPREAD * noise, 0)
    sigmas = (np.sqrt(_NOISE_FACTOR * s**2 + extra).astype(np.float32) for s in (flow.dx_sigma, flow.dy_sigma))
    return flow._replace(**dict(zip(("dx_sigma", "dy_sigma"), sigmas, strict=True)))


def _mean_around(values: np.ndarray, valid: np.ndarray, reach: int) -> np.ndarray:
    """Mean of the valid nodes of a window; values are 0 where they are not valid."""
    size = 2 * reach + 1
    share = ndimage.uniform_filter(valid.astype(float), size, mode="constant")
    return ndimage.uniform_filter(values.astype(float), size, mode="constant") / np.maximum(share, 1e-9)


def _off_plane(values: np.ndarray, valid: np.ndarray, reach: int) -> np.ndarray:
    """Variance of the valid nodes of a window about the plane that fits them best."""
    row, col = np.indices(valid.shape, dtype=float)
    known = np.where(valid, values, 0.0)

    def mean(a: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(valid * a, 2 * reach + 1, mode="constant") / share

    share = np.maximum(ndimage.uniform_filter(valid.astype(float), 2 * reach + 1, mode="constant"), 1e-9)
    at_row, at_col, level = mean(row), mean(col), mean(known)
    rr, cc, rc = mean(row**2) - at_row**2, mean(col**2) - at_col**2, mean(row * col) - at_row * at_col
    vr, vc = mean(known * row) - level * at_row, mean(known * col) - level * at_col
    determinant = np.maximum(rr * cc - rc**2, 1e-9)
    explained = (vr * (cc * vr - rc * vc) + vc * (rr * vc - rc * vr)) / determinant
    return np.maximum(mean(known**2) - level**2 - explained, 0)


def _with_reading_reasons(flow: PixelFlow, nodes: Nodes, pre: Pixels, post: Pixels) -> PixelFlow:
    """Where a method found no data, say why: what the reading of the images said of the node's pixel."""
    at = nodes.pixels()
    reason = flow.reason.copy()
    for pixels in (post, pre):
        said = pixels.reason[at]
        known = (flow.reason == Reason.NO_DATA) & (said != Reason.VALID)
        reason[known] = said[known]
    return flow._replace(reason=reason)
