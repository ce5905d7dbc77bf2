"""Band-limited textures with exact sub-pixel shifts, and the bound of what can be measured on them."""

import numpy as np


def spectrum(size, *, seed, cutoff=0.25):
    """Fourier transform of a random texture: a power law, cut smoothly at `cutoff` cycles a pixel; variance 1."""
    frequency = np.fft.fftfreq(size)
    k = np.hypot(*np.meshgrid(frequency, frequency))
    amplitude = np.where(k > 0, (k + 0.02) ** -1.2, 0) / (1 + np.exp((k - cutoff) / 0.02))
    transform = np.fft.fft2(np.random.default_rng(seed).normal(size=(size, size))) * amplitude
    return transform / np.fft.ifft2(transform).real.std()


def shifted(transform, dx, dy):
    """The texture moved dx pixels to the right and dy down."""
    frequency = np.fft.fftfreq(transform.shape[0])
    return np.fft.ifft2(transform * np.exp(-2j * np.pi * (frequency * dx + frequency[:, None] * dy))).real


def shifted_pair(size, *, dx, dy, noise, seed, cutoff=0.25):
    """A texture and the same moved, each with its own white noise: (pre, post, transform), float32."""
    transform = spectrum(size, seed=seed, cutoff=cutoff)
    random = np.random.default_rng(seed + 1000)
    pre, post = (
        (shifted(transform, *each) + noise * random.normal(size=(size, size))).astype(np.float32)
        for each in ((0, 0), (dx, dy))
    )
    return pre, post, transform


def cramer_rao_sigma(transform, nodes, *, window, noise):
    """Bound on the standard deviation of dx in each window, pixels, with noise in both images; (i, j)."""
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
