"""Surface displacement of rectangular dislocations in an elastic half-space (Okada 1985)."""

from __future__ import annotations

import numba
import numpy as np

_MU = 0.5  # μ / (λ + μ) for a Poisson ratio of 1/4
_TINY = 1e-12


@numba.njit(cache=True, nogil=True, inline="always")
def _chinnery(xi, eta, q, sine, cosine, strike_slip, dip_slip):
    """The bracket of Okada's equations 25 and 26 at one corner, with those of I1 to I5 (28, 29)."""
    y_tilde = eta * cosine + q * sine
    d_tilde = eta * sine - q * cosine
    r = np.sqrt(xi * xi + eta * eta + q * q)
    r_eta, r_xi, r_d = r + eta, r + xi, r + d_tilde
    log_eta = np.log(r_eta) if r_eta > _TINY else -np.log(max(r - eta, _TINY))
    over_eta = 1 / (r * r_eta) if r_eta > _TINY else 0.0
    over_xi = 1 / (r * r_xi) if r_xi > _TINY else 0.0
    angle = np.arctan(xi * eta / (q * r)) if abs(q) > _TINY else 0.0
    if abs(cosine) > 1e-6:
        x = np.sqrt(xi * xi + q * q)
        i5 = 0.0
        if abs(xi) > _TINY:
            top = eta * (x + q * cosine) + x * (r + x) * sine
            i5 = _MU * 2 / cosine * np.arctan(top / (xi * (r + x) * cosine))
        i4 = _MU / cosine * (np.log(max(r_d, _TINY)) - sine * log_eta)
        i3 = _MU * (y_tilde / (cosine * r_d) - log_eta) + sine / cosine * i4
        i1 = -_MU * xi / (cosine * r_d) - sine / cosine * i5
    else:
        i5 = -_MU * xi * sine / r_d
        i4 = -_MU * q / r_d
        i3 = _MU / 2 * (eta / r_d + y_tilde * q / r_d**2 - log_eta)
        i1 = -_MU / 2 * xi * q / r_d**2
    i2 = -_MU * log_eta - i3
    ux = -strike_slip * (xi * q * over_eta + angle + i1 * sine)
    uy = -strike_slip * (y_tilde * q * over_eta + q * cosine * r * over_eta + i2 * sine)
    uz = -strike_slip * (d_tilde * q * over_eta + q * sine * r * over_eta + i4 * sine)
    ux -= dip_slip * (q / r - i3 * sine * cosine)
    uy -= dip_slip * (y_tilde * q * over_xi + cosine * angle - i1 * sine * cosine)
    uz -= dip_slip * (d_tilde * q * over_xi + sine * angle - i5 * sine * cosine)
    return ux, uy, uz


@numba.njit(cache=True, nogil=True)
def rectangle(x, y, top, dip, length, width, strike_slip, dip_slip):
    """Displacement at points of the surface, in the frame of one rectangular fault.

    Parameters
    ----------
    x, y
        Points, float64 (n,), metres: x along strike from the start of the fault, y to the left of strike from the
        line above its upper edge. The fault dips down to the right.
    top
        Depth of the upper edge, metres; 0 for a fault that breaks the surface.
    dip
        Radians, above 0 to π/2.
    length, width
        Along strike and down dip, metres.
    strike_slip, dip_slip
        Slip of the right side (the hanging wall) against the left, metres: along strike, which is left-lateral, and
        up dip, which is reverse.

    Returns
    -------
    float64 (3, n): displacement along x, along y, and up, metres. Points on the trace belong to the right side.

    Source: Okada (1985), BSSA 75(4), equations 24 to 30, Poisson ratio 1/4.
    """
    sine, cosine = np.sin(dip), np.cos(dip)
    out = np.zeros((3, x.size))
    depth = top + width * sine
    for k in range(x.size):
        across = y[k] + width * cosine  # from the line above the lower edge, as in the paper
        p = across * cosine + depth * sine
        q = across * sine - depth * cosine
        if abs(q) < 1e-6:
            q = -1e-6
        for corner in range(4):
            xi = x[k] - (length if corner >= 2 else 0.0)
            eta = p - (width if corner % 2 else 0.0)
            sign = 1.0 if corner in (0, 3) else -1.0
            ux, uy, uz = _chinnery(xi, eta, q, sine, cosine, strike_slip, dip_slip)
            out[0, k] += sign * ux / (2 * np.pi)
            out[1, k] += sign * uy / (2 * np.pi)
            out[2, k] += sign * uz / (2 * np.pi)
    return out
