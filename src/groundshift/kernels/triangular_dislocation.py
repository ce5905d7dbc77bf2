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

from typing import NamedTuple

import numba
import numpy as np

from groundshift.errors import InputError

_TINY = 1e-10  # share of the length of a side within which a point is on it
_VERTICAL = -1e-9  # least upward part of the normal of the positive side for it to be the hanging wall
_FEW = 0.04  # |q| below which the power series replaces the logarithm
_inline = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"}, inline="always")


class Dislocations(NamedTuple):
    """Triangles taken apart into what adds up: faces, seen as solid angles, and sides, each once with its net slip.

    In the frame x north, y east, z down. A face is its vertices (9), its slip (3), the solid angle that is seen
    from its side at the surface (0 if it has none) and which side that is; a side its upper end (3), its horizontal
    direction (2), the level and downward parts of its direction t, its length, and its slip along e, n and m
    (:func:`side_displacement`).
    """

    faces: np.ndarray  # float64 (t, 14)
    sides: np.ndarray  # float64 (s, 11)


def dislocations(triangles: np.ndarray, slips: np.ndarray) -> Dislocations:
    """Faces and sides of triangles; arguments as for :func:`surface_displacement`.

    Sides that triangles share are merged if their ends are equal to the last bit, and dropped if nothing slips there.

    Raises
    ------
    InputError
        If the shapes do not fit, or a vertex is above the surface.
    """
    if triangles.shape != (len(slips), 3, 3) or slips.shape[1:] != (3,):
        raise InputError(f"triangles {triangles.shape} and slips {slips.shape} do not fit; give (t, 3, 3) and (t, 3)")
    if not triangles[..., 2].max(initial=0) <= 0:
        raise InputError(
            f"a vertex is {triangles[..., 2].max():g} m above the surface; up, the third column, must be 0 or less"
        )
    vertices = np.stack([triangles[..., 1], triangles[..., 0], 0.0 - triangles[..., 2]], axis=-1)
    burgers = np.stack([slips[:, 1], slips[:, 0], -slips[:, 2]], axis=-1)
    following = np.roll(vertices, -1, axis=1)
    shallow = (vertices[..., 2] == 0) & (following[..., 2] == 0)
    normal = np.cross(vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0])  # z down
    dip = np.arctan2(np.hypot(normal[:, 0], normal[:, 1]), np.abs(normal[:, 2]))
    on_trace = np.where(shallow.any(axis=1), -_hanging(-normal[:, 2], normal) * 2 * (np.pi - dip), 0.0)
    faces = np.column_stack([vertices.reshape(-1, 9), burgers, on_trace, shallow.argmax(axis=1)])
    sides = _sides(vertices.reshape(-1, 3), following.reshape(-1, 3), np.repeat(burgers, 3, axis=0))
    return Dislocations(faces, sides)


def _sides(start: np.ndarray, end: np.ndarray, burgers: np.ndarray) -> np.ndarray:
    """Sides with their net slip, from those of all triangles, run through from start to end."""
    step = end - start
    leading = np.take_along_axis(step[:, ::-1], (step[:, ::-1] != 0).argmax(axis=1)[:, None], axis=1)  # z, then y, x
    turned = leading < 0
    ends, index = np.unique(
        np.hstack([np.where(turned, end, start), np.where(turned, start, end)]), axis=0, return_inverse=True
    )
    net = np.zeros((len(ends), 3))
    np.add.at(net, index.ravel(), np.where(turned, -burgers, burgers))
    kept = np.abs(net).max(axis=1) > 1e-14 * np.abs(burgers).max(initial=0)
    ends, net = ends[kept], net[kept]
    x, y, z = (ends[:, 3:] - ends[:, :3]).T
    across = np.hypot(x, y)
    length = np.hypot(across, z)
    level = across > 0
    cx, cy = np.where(level, x, 1) / np.where(level, across, 1), np.where(level, y, 0) / np.where(level, across, 1)
    th, tz = across / length, z / length
    be, bn = net[:, 0] * cx + net[:, 1] * cy, net[:, 1] * cx - net[:, 0] * cy
    return np.column_stack([ends[:, :3], cx, cy, th, tz, length, be, bn, th * net[:, 2] - tz * be])


def _hanging(upward, normal):
    """1 where the normal points into the hanging wall, otherwise -1; a vertical one's own side hangs."""
    return np.where(upward >= _VERTICAL * np.linalg.norm(normal, axis=1), 1.0, -1.0)


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
def side_displacement(side, x, y, drained):
    """Displacement along x, y, z by one of :class:`Dislocations`' sides; drained is (1 - 2ν)."""
    rx, ry, rz = side[0] - x, side[1] - y, side[2]
    cx, cy, th, tz, length = side[3], side[4], side[5], side[6], side[7]
    be, bn, bm = side[8], side[9], side[10]
    # frame of the side: e along its horizontal direction, n horizontal across, m = t × n; the foot is p = pn n + pm m
    re, pn = rx * cx + ry * cy, ry * cx - rx * cy
    pm = th * rz - tz * re
    if abs(pn) + abs(pm) < _TINY * length:
        pn = _TINY * length
    d2 = pn * pn + pm * pm
    s0 = th * re + tz * rz
    s1 = s0 + length
    r0, r1 = np.sqrt(d2 + s0 * s0), np.sqrt(d2 + s1 * s1)
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
    share = 1 / (2 * np.pi)
    return share * (ue * cx - un * cy), share * (ue * cy + un * cx), share * uz


@_inline
def face_displacement(face, x, y):
    """Displacement along x, y, z by the solid angle of one of :class:`Dislocations`' faces."""
    ax, ay, az = face[0] - x, face[1] - y, face[2]
    bx, by, bz = face[3] - x, face[4] - y, face[5]
    cx, cy, cz = face[6] - x, face[7] - y, face[8]
    ra, rb, rc = (np.sqrt(ax * ax + ay * ay + az * az), np.sqrt(bx * bx + by * by + bz * bz),
                  np.sqrt(cx * cx + cy * cy + cz * cz))  # fmt: skip
    ab, bc, ca = ax * bx + ay * by + az * bz, bx * cx + by * cy + bz * cz, cx * ax + cy * ay + cz * az
    volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    angle = 2 * np.arctan2(volume, ra * rb * rc + ab * rc + bc * ra + ca * rb)
    if face[12] != 0:  # it breaks the surface
        if face[13] == 0:
            dot, area = ab, ax * by - ay * bx
        elif face[13] == 1:
            dot, area = bc, bx * cy - by * cx
        else:
            dot, area = ca, cx * ay - cy * ax
        if dot < 0 and abs(area) < -_TINY * dot:
            angle = face[12]
    share = -angle / (2 * np.pi)
    return share * face[9], share * face[10], share * face[11]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _sum(x, y, faces, sides, drained):
    out = np.zeros((3, x.size))
    for k in range(x.size):
        for t in range(len(faces)):
            moved = face_displacement(faces[t], x[k], y[k])
            for axis in range(3):
                out[axis, k] += moved[axis]
        for s in range(len(sides)):
            moved = side_displacement(sides[s], x[k], y[k], drained)
            for axis in range(3):
                out[axis, k] += moved[axis]
    return out


def surface_displacement(
    east: np.ndarray, north: np.ndarray, triangles: np.ndarray, slips: np.ndarray, *, poisson: float = 0.25
) -> np.ndarray:
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
    north_, east_, down = _sum(north, east, *dislocations(triangles, slips), 1 - 2 * poisson)
    return np.stack([east_, north_, -down])


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
    side = _hanging(normal[:, 2], normal)
    up = normal * side[:, None]  # into the hanging wall
    level = np.hypot(up[:, 0], up[:, 1])
    right = np.where(level[:, None] > 0, up[:, :2] / np.maximum(level, 1e-300)[:, None], [1.0, 0.0])
    strike = np.column_stack([-right[:, 1], right[:, 0], np.zeros(len(up))])
    along, rise, apart = (np.broadcast_to(each, len(up))[:, None] for each in (strike_slip, dip_slip, opening))
    return side[:, None] * (along * strike + rise * np.cross(up, strike) + apart * up)
