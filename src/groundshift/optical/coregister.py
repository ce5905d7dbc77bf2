"""How far the second image lies off as a whole, to a pixel: where the search for displacement is centred."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from scipy import fft

from groundshift.grid.tiles import Box
from groundshift.io import Image

log = logging.getLogger(__name__)

_CROP = 512  # pixels
_CROPS = 3  # along each axis
_AGREE = 3.0  # pixels
_SHARP = 8.0  # standard deviations that a peak of the correlation must stand out


class Shift(NamedTuple):
    """Whole pixels by which the second image is read off the first."""

    dy: int
    dx: int


def coarse_shift(pre: Image, post: Image) -> Shift:
    """The shift that most crops of the pair agree on, or none.

    Crops of 512 pixels, spread over the scene, are phase correlated at full resolution (Kuglin & Hines 1975), so
    shifts up to about 200 pixels are found whatever the size of the images.

    Parameters
    ----------
    pre, post
        Images on the same grid.
    """
    rows, cols = pre.grid.shape
    side = min(_CROP, rows, cols)
    tops = np.unique(np.linspace(0, rows - side, _CROPS).astype(int))
    lefts = np.unique(np.linspace(0, cols - side, _CROPS).astype(int))
    found = []
    for top in tops:
        for left in lefts:
            box = Box(int(top), int(left), int(top) + side, int(left) + side)
            peak = _peak(pre.read(box).values, post.read(box).values)
            if peak is not None:
                found.append(peak)
    if not found:
        return Shift(0, 0)
    middle = np.median(found, axis=0)
    agreeing = np.abs(np.array(found) - middle).max(axis=1) <= _AGREE
    if agreeing.sum() <= len(found) / 2:
        log.info("crops of the pair disagree on a common shift; the search is centred on none")
        return Shift(0, 0)
    dy, dx = np.rint(np.median(np.array(found)[agreeing], axis=0)).astype(int)
    if dy or dx:
        log.info("the second image lies %d pixels to the right and %d down; the search is centred there", dx, dy)
    return Shift(int(dy), int(dx))


def _peak(pre: np.ndarray, post: np.ndarray) -> tuple[int, int] | None:
    """(dy, dx) of the highest peak of the phase correlation, None if it does not stand out."""
    ok = np.isfinite(pre) & np.isfinite(post)
    if ok.mean() < 0.25:
        return None
    taper = np.outer(np.hanning(pre.shape[0] + 2)[1:-1], np.hanning(pre.shape[1] + 2)[1:-1])
    first, second = (fft.rfft2(np.where(ok, each - np.mean(each[ok]), 0) * taper) for each in (pre, post))
    cross = np.conj(first) * second
    size = np.abs(cross)
    if size.max() == 0:
        return None
    surface = fft.irfft2(cross / np.maximum(size, 1e-6 * size.max()), s=pre.shape)
    at = np.unravel_index(np.argmax(surface), surface.shape)
    if surface[at] < _SHARP * surface.std():
        return None
    dy, dx = ((int(k) + n // 2) % n - n // 2 for k, n in zip(at, surface.shape, strict=True))
    return dy, dx
