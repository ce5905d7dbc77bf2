"""How far a match of two windows can be trusted: the variance of its displacement, and whether it is one at all."""

from __future__ import annotations

import numba
import numpy as np

_LAGS = 3  # pixels up to which residuals and gradients are taken to be alike
_PARAMETERS = 4  # of a fit: dx, dy, gain and offset
_LEAST_FREE = 0.1  # of the degrees of freedom, that a fit must leave


@numba.njit(cache=True, nogil=True, fastmath=True)
def trusted(a, b, weight, grads, scale, normal, scratch):
    """Variances of dx and dy (infinity if not determined), and how significant the agreement of the windows is.

    With residuals e, gradients G = (∂a + ∂b) / 2 without what gain and offset explain of them, and ψ = e / (1 + t)²,
    t = (e / scale)²: H⁻¹ J H⁻¹, where J = Σ_lag C_ψ(lag) Σ w² G Gᵀ(lag) allows for residuals that are alike in
    neighbouring pixels, and H = Σ w dψ/de ∂a ∂bᵀ. The second derivative of a squared difference is the product of both
    gradients, not the square of their mean: that of noise is not in it. Degrees of freedom that the fit takes are given
    back to J.

    The significance is Fisher's z of the correlation of the gradients, in standard deviations of that of windows that
    have nothing in common (Bartlett 1935: Σ_lag of the products of both autocorrelations).
    """
    size = a.shape[0]
    ax, ay, bx, by = grads[0], grads[1], grads[2], grads[3]
    nuisance, mixed = normal[2:, 2:].copy(), normal[2:, :2].copy()
    fit = np.linalg.solve(nuisance, mixed)  # gradients on the nuisance parameters
    psi, px, py = scratch[0], scratch[1], scratch[2]
    total = square = robust = slopes = hxx = hxy = hyy = power_a = power_b = product = 0.0
    for i in range(size):
        for j in range(size):
            w, r = weight[i, j], b[i, j] - a[i, j]
            share = 1 / (1 + (r / scale) ** 2)
            slope = w * share * share * (4 * share - 3)
            mean = 0.5 * (a[i, j] + b[i, j])
            px[i, j] = w * (0.5 * (ax[i, j] + bx[i, j]) - fit[0, 0] - fit[1, 0] * mean)
            py[i, j] = w * (0.5 * (ay[i, j] + by[i, j]) - fit[0, 1] - fit[1, 1] * mean)
            psi[i, j] = np.sqrt(w) * r * share * share
            total += w
            square += w * w
            robust += w * share * share
            slopes += slope
            hxx += slope * ax[i, j] * bx[i, j]
            hyy += slope * ay[i, j] * by[i, j]
            hxy += slope * 0.5 * (ax[i, j] * by[i, j] + ay[i, j] * bx[i, j])
            product += w * (ax[i, j] * bx[i, j] + ay[i, j] * by[i, j])
            power_a += w * (ax[i, j] ** 2 + ay[i, j] ** 2)
            power_b += w * (bx[i, j] ** 2 + by[i, j] ** 2)
    xx = xy = yy = chance = alike = whole = 0.0
    for ly in range(0, _LAGS + 1):
        for lx in range(-_LAGS, _LAGS + 1):
            if ly == 0 and lx < 0:
                continue
            count = 1 if ly == 0 and lx == 0 else 2  # a lag and its opposite
            c = gxx = gxy = gyy = axx = axy = ayy = bxx = bxy = byy = 0.0
            for i in range(size - ly):
                k = i + ly
                for j in range(max(0, -lx), min(size, size - lx)):
                    m = j + lx
                    c += psi[i, j] * psi[k, m]
                    gxx += px[i, j] * px[k, m]
                    gxy += px[i, j] * py[k, m] + py[i, j] * px[k, m]
                    gyy += py[i, j] * py[k, m]
                    w = np.sqrt(weight[i, j] * weight[k, m])
                    axx += w * ax[i, j] * ax[k, m]
                    axy += w * (ax[i, j] * ay[k, m] + ay[i, j] * ax[k, m])
                    ayy += w * ay[i, j] * ay[k, m]
                    bxx += w * bx[i, j] * bx[k, m]
                    bxy += w * (bx[i, j] * by[k, m] + by[i, j] * bx[k, m])
                    byy += w * by[i, j] * by[k, m]
            xx += count * c * gxx
            xy += count * c * gxy / 2
            yy += count * c * gyy
            chance += count * (axx * bxx + axy * bxy / 2 + ayy * byy)
            whole = gxx + gyy if ly == 0 and lx == 0 else whole
            alike += count * ((gxx + gyy) / whole) ** 2
    pixels = total * total / square
    agreement = min(max(product / np.sqrt(power_a * power_b), 0.0), 0.9999)
    significance = np.arctanh(agreement) * np.sqrt(power_a * power_b / max(chance, 1e-30) * pixels)
    h = np.array([[hxx, hxy], [hxy, hyy]]) - slopes / robust * (mixed.T @ fit)
    free = 1 - _PARAMETERS * alike / pixels  # share of what the gradients could tell of noise that the fit leaves
    if (
        h[0, 0] <= 0
        or h[1, 1] <= 0
        or h[0, 0] * h[1, 1] - h[0, 1] ** 2 <= 1e-6 * h[0, 0] * h[1, 1]
        or free <= _LEAST_FREE
    ):
        return np.inf, np.inf, significance
    inverse = np.linalg.inv(h)
    covariance = inverse @ np.array([[xx, xy], [xy, yy]]) @ inverse / (total * free)
    return covariance[0, 0], covariance[1, 1], significance
