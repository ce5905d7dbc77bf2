"""The second image of a pair from the first, when the ground moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from groundshift.errors import ConfigurationError
from groundshift.kernels.spline import coefficients, fill_holes, warp

_ITERATIONS = 60
_UNDAMPED = 10  # iterations before the damping sets in
_DAMPING = 0.7
_PRECISION = 1e-3  # pixels
_SOLVED = 3e-4  # pixels: to which a bilinear flow is inverted
_BILINEAR = 6e-4  # pixels: error of a bilinear flow up to which a function is not asked
_PATIENCE = 15  # iterations without getting nearer, after which there is no origin

PixelFlowField = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Called with rows and columns, float64 arrays of one shape, on the first image; returns (dx, dy), pixels."""

PixelFlow = PixelFlowField | tuple[np.ndarray, np.ndarray]
"""A motion on the first image: a function, or (dx, dy) at its pixels, bilinear between them."""


class Inverse(NamedTuple):
    """The way back: from each pixel of the second image to its origin on the first."""

    dx: np.ndarray  # float32 (y, x): to the right, pixels
    dy: np.ndarray  # float32 (y, x): down, pixels
    found: np.ndarray  # bool (y, x): solved to 1e-3 pixels; not so where a jump opened a gap


class Warped(NamedTuple):
    """An image that was interpolated."""

    image: np.ndarray  # float32 (y, x): NaN where the interpolation touched NaN; mirrored beyond the border
    valid: np.ndarray  # bool (y, x): the origin is on the image, and not NaN


def inverse(
    flow: PixelFlow, shape: tuple[int, int] | None = None, *, known: tuple[np.ndarray, np.ndarray] | None = None
) -> Inverse:
    """Solve x = x₀ + flow(x₀) for the origin x₀ of each pixel x, to 1e-3 pixels, by damped fixed-point iteration.

    Where a jump opened a gap, no origin exists, and the nearest found is given; where it closed one, either side is.

    Parameters
    ----------
    flow
        A function, which is kept to the last digit also at jumps; or arrays (dx, dy) at the pixels of the first
        image, bilinear between pixels (a jump becomes one pixel wide) and constant beyond the border. A function is
        asked where it bends or jumps between pixels, and beyond the border; elsewhere bilinear is as good.
    shape
        Rows and columns of the second image; only for a function, as that of arrays is theirs.
    known
        What a function gives at the pixels of the first image, of that shape, so that it is not asked again.
    """
    if not callable(flow):
        dx, dy = (np.ascontiguousarray(each, dtype=np.float32) for each in flow)
        return Inverse(*_inverse_of_grid(dx, dy))
    if shape is None:
        raise ConfigurationError("the motion is a function; pass shape=(rows, columns) of the second image")
    if known is None:
        known = flow(*(each.ravel() for each in np.indices(shape, dtype=float)))
    known = [np.ascontiguousarray(each, dtype=np.float32).reshape(shape) for each in known]
    dx, dy, found = _inverse_of_grid(*known)
    open_ = np.flatnonzero(_uneven(*known, dx, dy) | ~found)
    rows, cols = (each.astype(float) for each in np.unravel_index(open_, shape))
    to_x, to_y = (each.ravel()[open_].astype(float) for each in (dx, dy))
    least = np.full(open_.size, np.inf)
    best_x, best_y, at = to_x.copy(), to_y.copy(), np.arange(open_.size)
    last = np.zeros(open_.size, int)  # iteration in which the best was found
    for iteration in range(_ITERATIONS):
        if at.size == 0:
            break
        flow_x, flow_y = flow(rows[at] + to_y, cols[at] + to_x)
        miss_x, miss_y = -to_x - flow_x, -to_y - flow_y
        miss = np.hypot(miss_x, miss_y)
        better = miss < least[at]
        best_x[at[better]], best_y[at[better]], least[at[better]] = to_x[better], to_y[better], miss[better]
        last[at[better]] = iteration
        step = 1.0 if iteration < _UNDAMPED else _DAMPING
        going = (miss >= _PRECISION) & (iteration - last[at] < _PATIENCE)
        to_x, to_y, at = (to_x + step * miss_x)[going], (to_y + step * miss_y)[going], at[going]
    dx.ravel()[open_], dy.ravel()[open_], found.ravel()[open_] = best_x, best_y, least < _PRECISION
    return Inverse(dx, dy, found)


def origins(shape: tuple[int, int], flow: PixelFlow) -> tuple[np.ndarray, np.ndarray]:
    """Where on the first image each pixel of the second was: rows and columns, float64 (y, x); see :func:`inverse`."""
    back = inverse(flow, shape)
    rows, cols = np.indices(shape, dtype=float)
    return rows + back.dy, cols + back.dx


def resample(image: np.ndarray, back: Inverse, *, ratio: float = 1.0) -> Warped:
    """The image as seen at the origins of the pixels of a second image, by one quintic B-spline interpolation.

    Parameters
    ----------
    image
        float (y, x); NaN is no data. A hole spreads to the pixels whose interpolation touches it: up to three
        pixels, and none along an axis on which an origin is the centre of a pixel.
    back
        From the pixels of the second image, in these.
    ratio
        Pixels of the image along a pixel of the second; the outer corners of both are the same.
    """
    filled, ok = fill_holes(image)
    dx, dy = back.dx, back.dy
    if ratio != 1:
        rows, cols = np.indices(dx.shape, dtype=float)
        dx, dy = (ratio * (dx + cols + 0.5) - 0.5 - cols, ratio * (dy + rows + 0.5) - 0.5 - rows)
    out = warp(coefficients(filled), dx, dy)
    valid = _on_image(dx, dy, image.shape)
    if not ok.all():
        touched = _touched(_summed(~ok), dx, dy)
        out[touched] = np.nan
        valid &= ~touched
    return Warped(out, valid)


def warp_forward(image: np.ndarray, flow: PixelFlow) -> np.ndarray:
    """The image after its ground has moved by `flow`, which is defined on the image before; float32 (y, x).

    See :func:`inverse` and :func:`resample`, which also says where the result shows ground of the image.
    """
    return resample(image, inverse(flow, image.shape)).image


@numba.njit(cache=True, nogil=True)
def _inverse_of_grid(dx, dy):
    height, width = dx.shape
    out_x, out_y = np.empty_like(dx), np.empty_like(dy)
    found = np.empty(dx.shape, np.bool_)
    for i in range(height):
        for j in range(width):
            x, y = -dx[i, j], -dy[i, j]
            best_x, best_y, least = x, y, np.float32(np.inf)
            for iteration in range(_ITERATIONS):
                flow_x, flow_y = _bilinear(dx, dy, j + x, i + y)
                miss_x, miss_y = -x - flow_x, -y - flow_y
                miss = miss_x * miss_x + miss_y * miss_y
                if miss < least:
                    best_x, best_y, least = x, y, miss
                if miss < _SOLVED**2:
                    break
                step = np.float32(1.0 if iteration < _UNDAMPED else _DAMPING)
                x, y = x + step * miss_x, y + step * miss_y
            out_x[i, j], out_y[i, j], found[i, j] = best_x, best_y, least < _PRECISION**2
    return out_x, out_y, found


@numba.njit(cache=True, nogil=True)
def _uneven(dx, dy, to_x, to_y):
    """Whether the flow bends at the origin of a pixel, by its second differences, or the origin is off the image.

    Between pixels a bilinear flow is off by an eighth of the second differences along both axes.
    """
    height, width = dx.shape
    bent = np.zeros(dx.shape, np.bool_)
    for i in range(height):
        a = min(max(i, 1), height - 2)
        for j in range(width):
            b = min(max(j, 1), width - 2)
            most = np.float32(0)
            if height > 2:
                most += max(
                    abs(dx[a - 1, j] - 2 * dx[a, j] + dx[a + 1, j]), abs(dy[a - 1, j] - 2 * dy[a, j] + dy[a + 1, j])
                )
            if width > 2:
                most += max(
                    abs(dx[i, b - 1] - 2 * dx[i, b] + dx[i, b + 1]), abs(dy[i, b - 1] - 2 * dy[i, b] + dy[i, b + 1])
                )
            bent[i, j] = most > 8 * _BILINEAR
    out = np.ones(dx.shape, np.bool_)
    for i in range(height):
        for j in range(width):
            y, x = i + to_y[i, j], j + to_x[i, j]
            if 0 <= y <= height - 1 and 0 <= x <= width - 1:
                top, left = int(y), int(x)
                bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                out[i, j] = bent[top, left] or bent[top, right] or bent[bottom, left] or bent[bottom, right]
    return out


@numba.njit(cache=True, nogil=True, inline="always")
def _bilinear(dx, dy, x, y):
    height, width = dx.shape
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    s, t = np.float32(x - left), np.float32(y - top)
    a, b, c, d = (1 - t) * (1 - s), (1 - t) * s, t * (1 - s), t * s
    flow_x = a * dx[top, left] + b * dx[top, right] + c * dx[bottom, left] + d * dx[bottom, right]
    flow_y = a * dy[top, left] + b * dy[top, right] + c * dy[bottom, left] + d * dy[bottom, right]
    return flow_x, flow_y


@numba.njit(cache=True, nogil=True)
def _on_image(dx, dy, shape):
    out = np.empty(dx.shape, np.bool_)
    for i in range(dx.shape[0]):
        for j in range(dx.shape[1]):
            y, x = i + dy[i, j], j + dx[i, j]
            inside_y = -_PRECISION <= y <= shape[0] - 1 + _PRECISION
            out[i, j] = inside_y and -_PRECISION <= x <= shape[1] - 1 + _PRECISION
    return out


def _summed(holes: np.ndarray) -> np.ndarray:
    """Number of holes above and left of each corner, int64 (y + 1, x + 1)."""
    return np.pad(holes, ((1, 0), (1, 0))).astype(np.int64).cumsum(0).cumsum(1)


@numba.njit(cache=True, nogil=True)
def _touched(holes, dx, dy):
    """Whether the samples that a pixel is interpolated from have a hole."""
    height, width = holes.shape[0] - 1, holes.shape[1] - 1
    out = np.empty(dx.shape, np.bool_)
    for i in range(dx.shape[0]):
        for j in range(dx.shape[1]):
            top, bottom = _reach(i + dy[i, j], height)
            left, right = _reach(j + dx[i, j], width)
            count = holes[bottom, right] - holes[top, right] - holes[bottom, left] + holes[top, left]
            out[i, j] = count > 0
    return out


@numba.njit(cache=True, nogil=True, inline="always")
def _reach(at, size):
    """First sample, and one beyond the last, that the spline at a place depends on."""
    first = int(np.floor(at))
    last = first
    if at != first:
        first, last = first - 2, last + 3
    return min(max(first, 0), size - 1), min(max(last, 0), size - 1) + 1
