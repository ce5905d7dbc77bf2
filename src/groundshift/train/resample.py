"""Warps of batches with torch, on any device: as :mod:`groundshift.kernels.spline` and :mod:`groundshift.synth.warp`.

Displacements are (b, 2, y, x) or pairs of (b, y, x): to the right and down, pixels. No step goes over the images one by
one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_SAMPLES = (66 / 120, 26 / 120, 1 / 120)  # of the quintic B-spline at 0, ±1, ±2
_ITERATIONS, _UNDAMPED, _DAMPING = 40, 12, 0.7
_PRECISION = 1e-3  # pixels


class Inverse(NamedTuple):
    """The way back: from each pixel of the second image to its origin on the first."""

    flow: Tensor  # float32 (b, 2, y, x)
    found: Tensor  # bool (b, y, x): solved to 1e-3 pixels


def coefficients(images: Tensor) -> Tensor:
    """Quintic B-spline coefficients, float32, of images (b, y, x) without NaN, mirrored at their borders."""
    down, across = (_filter(size).to(images) for size in images.shape[-2:])
    mean = images.mean((-2, -1), keepdim=True)
    return down @ (images - mean) @ across.T + mean


@lru_cache(maxsize=8)
def _filter(size: int) -> Tensor:
    """The matrix (size, size) that makes coefficients of samples: the inverse of that which samples a spline."""
    index, matrix = np.arange(size), np.zeros((size, size))
    for away in range(-2, 3):
        np.add.at(matrix, (index, _mirrored(torch.from_numpy(index + away), size).numpy()), _SAMPLES[abs(away)])
    return torch.from_numpy(np.linalg.inv(matrix))


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Index of a pixel beyond the border, mirrored at the centre of the border pixel."""
    period = max(2 * size - 2, 1)
    index = index.abs() % period
    return torch.where(index >= size, period - index, index)


def _weights(t: Tensor) -> list[Tensor]:
    """The six weights of a quintic spline at fraction t between the third sample and the fourth."""
    s = 1 - t

    def outer(u: Tensor) -> Tensor:
        return u**5

    def middle(u: Tensor) -> Tensor:
        return 26 - u * (50 - u * (20 + u * (20 - u * (20 - u * 5))))

    def inner(u: Tensor) -> Tensor:
        return 66 - u * u * (60 - u * u * (30 - u * 10))

    return [each / 120 for each in (outer(s), middle(t), inner(t), inner(s), middle(s), outer(t))]


def warp(spline: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """The images at (x + dx, y + dy) for every pixel (x, y); float32 (b, i, j).

    Parameters
    ----------
    spline
        Coefficients, float32 (b, y, x).
    dx, dy
        Pixels, (b, i, j); the pixel (0, 0) is that of the image. Beyond the image it is mirrored.
    """
    height, width = spline.shape[-2:]
    rows, cols = (torch.arange(size, device=dx.device) for size in dx.shape[-2:])
    top, left = dy.floor(), dx.floor()
    down, across = _weights(dy - top), _weights(dx - left)
    first_row, first_col = top.long() + rows[:, None] - 2, left.long() + cols - 2
    columns = [_mirrored(first_col + k, width) for k in range(6)]
    flat, out = spline.flatten(1), torch.zeros_like(dx)
    for k in range(6):
        row = _mirrored(first_row + k, height) * width
        line = sum(
            weight * flat.gather(1, (row + col).flatten(1)).view_as(dx)
            for weight, col in zip(across, columns, strict=True)
        )
        out = out + down[k] * line
    return out


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Images (b, c, y, x) at places (b, i, j) in pixels, constant beyond the border; (b, c, i, j)."""
    height, width = images.shape[-2:]
    place = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    return functional.grid_sample(images, place, padding_mode="border", align_corners=True)


def inverse(flow: Tensor) -> Inverse:
    """Solve x = x₀ + flow(x₀) for the origin x₀ of each pixel x; flow is bilinear between pixels.

    See :func:`groundshift.synth.warp.inverse`; a jump becomes one pixel wide.
    """
    rows, cols = (torch.arange(size, device=flow.device, dtype=flow.dtype) for size in flow.shape[-2:])
    back, best = -flow, -flow
    least = torch.full_like(flow[:, 0], torch.inf)
    for iteration in range(_ITERATIONS):
        miss = -back - bilinear(flow, cols + back[:, 0], rows[:, None] + back[:, 1])
        size = torch.hypot(*miss.unbind(1))
        better = size < least
        best, least = torch.where(better[:, None], back, best), torch.where(better, size, least)
        back = back + (1.0 if iteration < _UNDAMPED else _DAMPING) * miss
    return Inverse(best, least < _PRECISION)
