"""Band-limited textures with exact sub-pixel shifts, and the bound of what can be measured on them.

Periodic textures are shifted in the Fourier domain, so their motion is known to rounding: they show the bias of an
interpolation and how close a method comes to what noise allows.
"""

from __future__ import annotations

import numpy as np


def spectrum(size: int, *, seed: int, cutoff: float = 0.25) -> np.ndarray:
    """Fourier transform of a random periodic texture of variance 1, complex (size, size).

    Its amplitude is a power law, cut smoothly at `cutoff` cycles a pixel.
    """
    frequency = np.fft.fftfreq(size)
    k = np.hypot(*np.meshgrid(frequency, frequency))
    amplitude = np.where(k > 0, (k + 0.02) ** -1.2, 0) / (1 + np.exp((k - cutoff) / 0.02))
    transform = np.fft.fft2(np.random.default_rng(seed).normal(size=(size, size))) * amplitude
    return transform / np.fft.ifft2(transform).real.std()


def shifted(transform: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """The texture moved dx pixels to the right and dy down, float64 (size, size)."""
    frequency = np.fft.fftfreq(transform.shape[0])
    return np.fft.ifft2(transform * np.exp(-2j * np.pi * (frequency * dx + frequency[:, None] * dy))).real


def shifted_pair(
    size: int, *, dx: float, dy: float, noise: float, seed: int, cutoff: float = 0.25
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A texture and the same moved, each with its own white noise: (pre, post, transform), float32."""
    transform = spectrum(size, seed=seed, cutoff=cutoff)
    random = np.random.default_rng(seed + 1000)
    pre, post = (
        (shifted(transform, *each) + noise * random.normal(size=(size, size))).astype(np.float32)
        for each in ((0, 0), (dx, dy))
    )
    return pre, post, transform


def cramer_rao_sigma(transform: np.ndarray, nodes: np.ndarray, *, window: int, noise: float) -> np.ndarray:
    """Cramér–Rao bound on the standard deviation of dx, with white noise in both images.

    Parameters
    ----------
    transform
        Of the texture, see :func:`spectrum`.
    nodes
        Rows, and columns, of the centres of the windows.
    window
        Side of the windows, pixels.
    noise
        Standard deviation in each image.

    Returns
    -------
    float64 (i, j), pixels.

    Source: Robinson & Milanfar (2004), doi:10.1109/TIP.2004.832923.
    """
    frequency = 2j * np.pi * np.fft.fftfreq(transform.shape[0])
    gx, gy = np.fft.ifft2(transform * frequency).real, np.fft.ifft2(transform * frequency[:, None]).real
    starts = np.ceil(nodes - (window - 1) / 2).astype(int)
    sigma = np.empty((len(nodes), len(nodes)))
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            at = np.s_[top : top + window, left : left + window]
            gradient = np.stack([gx[at].ravel(), gy[at].ravel()])
            sigma[i, j] = np.sqrt(2 * noise**2 * np.linalg.inv(gradient @ gradient.T)[0, 0])
    return sigma
