"""Displacement of the ground by triangular dislocations in an elastic half-space.

By reciprocity, displacement of the surface along axis k is the integral over the triangle of b·σᵏ·n, where σᵏ is the
stress below a unit force along k at that point of the surface (Boussinesq, Cerruti). With R from the point, R = |R|, x
and y horizontal, z down, and the harmonic χ = z log(R + z) - R, that is a solid angle and two curls:

    2π bᵢ σᵏᵢⱼ = -bₖ Rⱼ / R³ - curlⱼ[(b × R) Rₖ / R³] + (1 - 2ν) curlⱼ[ẑ (b_x ∂_y - b_y ∂_x) ∂ₖχ]

so that, by Stokes' theorem, with Ω the solid angle of the triangle and the integrals along its sides,

    2π uₖ = -bₖ Ω - ∮ (Rₖ / R³) (b × R)·dl + (1 - 2ν) ∮ (b_x ∂_y - b_y ∂_x) ∂ₖχ dz .

No image has to be added, and nothing is singular off the sides, so that no artefact arises. Along a straight side,
with arc length s from the foot of the perpendicular, the second term is elementary. In the third, τ = (x + iy) / (R +
z), the stereographic view of the side, is a Möbius function of v = R + s, ds / R = dv / v, and the derivatives of χ
are τ / R and τ² / R: the integrals are logarithms, which stay exact however steep the side.

Sources: Comninou & Dundurs (1975), doi:10.1007/BF00126985; Meade (2007), doi:10.1016/j.cageo.2006.12.003; Nikkhoo &
Walter (2015), doi:10.1093/gji/ggv035, whose solution on the free surface this equals; Van Oosterom & Strackee (1983),
doi:10.1109/TBME.1983.325207, for Ω; Johnson (1985), Contact Mechanics, section 3.2 and 3.6, for σᵏ.
"""

from __future__ import annotations

import numba
import numpy as np

_TINY = 1e-10  # share of the length of a side within which a point is on it
_VERTICAL = -1e-9  # least upward part of the normal of the positive side for it to be the hanging wall
_FEW = 0.04  # |q| below which the power series replaces the logarithm
_jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
_inline = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"}, inline="always")

_SIDE = 6  # numbers that describe a side: horizontal direction (2), t_h, t_z, length, sign; t runs downward
GEOMETRY = 9 + 3 * _SIDE + 2
"""Numbers that describe a triangle: vertices, sides, solid angle on a side at the surface (0 if none), which side."""


@_jit
def geometry(triangle):
    """What :func:`displacement` needs to know of a triangle, float64 (GEOMETRY,).

    Parameters
    ----------
    triangle
        Vertices (east, north, up), float64 (3, 3), metres; up is 0 or less.
    """
    out = np.zeros(GEOMETRY)
    for k in range(3):
        start, end = triangle[k], triangle[(k + 1) % 3]
        x, y, z = end[1] - start[1], end[0] - start[0], start[2] - end[2]
        sign = 1.0 if z >= 0 else -1.0
        across = np.hypot(x, y)
        length = np.hypot(across, z)
        out[3 * k], out[3 * k + 1], out[3 * k + 2] = start[1], start[0], -start[2]
        side = out[9 + k * _SIDE : 9 + (k + 1) * _SIDE]
        side[0], side[1] = (sign * x / across, sign * y / across) if across > 0 else (1.0, 0.0)
        side[2], side[3], side[4], side[5] = across / length, abs(z) / length, length, sign
        if start[2] == 0 and end[2] == 0:
            normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
            dip = np.arctan2(np.hypot(normal[0], normal[1]), abs(normal[2]))
            out[GEOMETRY - 2] = -hanging_side(normal) * 2 * (np.pi - dip)
            out[GEOMETRY - 1] = k
    return out


@_inline
def hanging_side(normal):
    """1 if the normal points into the hanging wall, otherwise -1; a vertical normal's own side hangs."""
    return 1.0 if normal[2] >= _VERTICAL * np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) else -1.0


@_inline
def _series(q):
    """Sums over k of q^k / (k + 1) and of q^k (k + 1) / (k + 2), for small complex q."""
    first, second = 0.0 * q, 0.0 * q
    for k in range(8, -1, -1):
        first = first * q + 1 / (k + 1)
        second = second * q + (k + 1) / (k + 2)
    return first, second


@_inline
def _over(a, b):
    """Complex a / b."""
    return a * b.conjugate() / (b.real * b.real + b.imag * b.imag)


@_inline
def _steep_integrals(kappa, g, v0, v1, log_v):
    """Integrals over a side of τ / R and τ² / R, for a root ρ = κ g of R + z."""
    u0, u1 = g / v0, g / v1
    q0, q1 = kappa * u0, kappa * u1
    one0, one1 = 1 - q0, 1 - q1
    if max(abs(q0.real) + abs(q0.imag), abs(q1.real) + abs(q1.imag)) < _FEW:
        a0, b0 = _series(q0)
        a1, b1 = _series(q1)
        log_q = q0 * a0 - q1 * a1
        first = kappa * (log_v + log_q) - (u1 * a1 - u0 * a0)
        second = kappa * kappa * (log_v + log_q) - (u1 * u1 * b1 - u0 * u0 * b0)
        second -= (2 + kappa * kappa) * (_over(q1, one1) - _over(q0, one0))
    else:
        ratio = _over(one1, one0)
        size = ratio.real * ratio.real + ratio.imag * ratio.imag
        log_q = complex(0.5 * np.log(size), np.arctan2(ratio.imag, ratio.real))
        first = kappa * log_v + (kappa + 1 / kappa) * log_q
        second = kappa * kappa * log_v + (kappa * kappa - 1 / (kappa * kappa)) * log_q
        second -= (kappa + 1 / kappa) ** 2 * _over(q1 - q0, one1 * one0)
    return first, second


@_inline
def _side(known, k, a, b, burgers, drained):
    """2π times the share of side k, from a to b, in displacement along x, y, z; a and b are (R, |R|) of its ends."""
    first = 9 + k * _SIDE
    cx, cy, th, tz, length, sign = (
        known[first], known[first + 1], known[first + 2], known[first + 3], known[first + 4], known[first + 5],
    )  # fmt: skip
    rx, ry, rz, r0 = a if sign > 0 else b
    r1 = b[3] if sign > 0 else a[3]
    bx, by, bz = burgers
    # frame of the side: e along its horizontal direction, n horizontal across, m = t × n; the foot is p = pn n + pm m
    re, pn = rx * cx + ry * cy, ry * cx - rx * cy
    be, bn = bx * cx + by * cy, by * cx - bx * cy
    pm, bm = th * rz - tz * re, th * bz - tz * be
    if abs(pn) + abs(pm) < _TINY * length:
        pn = _TINY * length
    d2 = pn * pn + pm * pm
    s0 = th * re + tz * rz
    s1 = s0 + length
    r0, r1 = max(r0, _TINY * length), max(r1, _TINY * length)
    across = pm * bn - pn * bm  # b · (p × t)
    bend = across * (s1 / r1 - s0 / r0) / d2
    on_m, on_t = pm * bend, across * (1 / r0 - 1 / r1)
    ue, un, uz = tz * on_m - th * on_t, -pn * bend, -th * on_m - tz * on_t
    if tz > 0:
        v0 = r0 + s0 if s0 > 0 else d2 / (r0 - s0)
        v1 = r1 + s1 if s1 > 0 else d2 / (r1 - s1)
        log_v = np.log(v1 / v0)
        one, two = _steep_integrals(max(th / (1 + tz), 1e-30), complex(-pm, pn), v0, v1, log_v)
        half = 0.5 * drained * tz
        ue += half * (be * two.imag - bn * two.real + bn * log_v)
        un -= half * (be * two.real + bn * two.imag + be * log_v)
        uz += 2 * half * (be * one.imag - bn * one.real)
    return sign * (ue * cx - un * cy), sign * (ue * cy + un * cx), sign * uz


@_inline
def solid_angle(known, a, b, c):
    """Solid angle of the triangle seen from the surface, positive behind it; a, b, c are (R, |R|) of its vertices."""
    volume = (
        a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    ab = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    ac = a[0] * c[0] + a[1] * c[1] + a[2] * c[2]
    bc = b[0] * c[0] + b[1] * c[1] + b[2] * c[2]
    if known[GEOMETRY - 2] != 0:
        k = int(known[GEOMETRY - 1])
        p, q, dot = (a, b, ab) if k == 0 else ((b, c, bc) if k == 1 else (c, a, ac))
        length = known[9 + k * _SIDE + 4]
        if dot < 0 and abs(p[0] * q[1] - p[1] * q[0]) < _TINY * length * length:
            return known[GEOMETRY - 2]
    return 2 * np.arctan2(volume, a[3] * b[3] * c[3] + ab * c[3] + ac * b[3] + bc * a[3])


@_inline
def _seen(known, k, x, y):
    """R and |R| of vertex k."""
    rx, ry, rz = known[3 * k] - x, known[3 * k + 1] - y, known[3 * k + 2]
    return rx, ry, rz, np.sqrt(rx * rx + ry * ry + rz * rz)


@_jit
def displacement(known, east, north, slip, poisson):
    """East, north and up at one point; `known` is the :func:`geometry` of the triangle, `slip` as below."""
    a, b, c = _seen(known, 0, north, east), _seen(known, 1, north, east), _seen(known, 2, north, east)
    burgers = slip[1], slip[0], -slip[2]
    drained = 1 - 2 * poisson
    x0, y0, z0 = _side(known, 0, a, b, burgers, drained)
    x1, y1, z1 = _side(known, 1, b, c, burgers, drained)
    x2, y2, z2 = _side(known, 2, c, a, burgers, drained)
    omega = solid_angle(known, a, b, c)
    share = 1 / (2 * np.pi)
    return (
        share * (y0 + y1 + y2 - omega * burgers[1]),
        share * (x0 + x1 + x2 - omega * burgers[0]),
        -share * (z0 + z1 + z2 - omega * burgers[2]),
    )


@_jit
def surface_displacement(east, north, triangles, slips, poisson=0.25):
    """Displacement of points of the surface by triangular dislocations, summed.

    Parameters
    ----------
    east, north
        Points, float64 (n,), metres.
    triangles
        Vertices, float64 (t, 3, 3): triangle, vertex, (east, north, up), metres; up is 0 or less. A side with both ends
        at 0 breaks the surface.
    slips
        Float64 (t, 3): (east, north, up) of the positive side against the negative, metres. Seen from the positive side
        the vertices go round anticlockwise. See :func:`slip_vectors`.
    poisson
        Poisson ratio.

    Returns
    -------
    float64 (3, n): east, north, up, metres. Points on a side that breaks the surface belong to the hanging wall; at its
    ends, where the exact answer may be infinite, the value is finite and arbitrary.
    """
    out = np.zeros((3, east.size))
    for t in range(len(triangles)):
        known = geometry(triangles[t])
        for k in range(east.size):
            moved = displacement(known, east[k], north[k], slips[t], poisson)
            out[0, k] += moved[0]
            out[1, k] += moved[1]
            out[2, k] += moved[2]
    return out


def slip_vectors(triangles: np.ndarray, strike_slip, dip_slip, opening=0.0) -> np.ndarray:
    """Slips for :func:`surface_displacement`, float64 (t, 3), whatever the order of the vertices.

    Parameters
    ----------
    triangles
        Vertices, (t, 3, 3), as there. They dip down to the right of strike; where level, strike is north. Of a vertical
        one the positive side is taken for the hanging wall.
    strike_slip, dip_slip, opening
        Slip of the hanging wall against the foot wall, metres, numbers or (t,): along strike, which is left-lateral; up
        dip, which is reverse; and away from it.
    """
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    side = np.where(normal[:, 2] >= _VERTICAL, 1.0, -1.0)
    up = normal * side[:, None]  # into the hanging wall
    level = np.hypot(up[:, 0], up[:, 1])
    right = np.where(level[:, None] > 0, up[:, :2] / np.maximum(level, 1e-300)[:, None], [1.0, 0.0])
    strike = np.column_stack([-right[:, 1], right[:, 0], np.zeros(len(up))])
    along, rise, apart = (np.broadcast_to(each, len(up))[:, None] for each in (strike_slip, dip_slip, opening))
    return side[:, None] * (along * strike + rise * np.cross(up, strike) + apart * up)
