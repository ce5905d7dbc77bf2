"""How the two images of a pair lie off each other: estimated robustly from what was measured, and removed.

A scene that did not move has one displacement, the misregistration. Where part of it moved, the misregistration is
the displacement that most of the scene shares; a fault through the middle with two sides that moved apart gives the
middle of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from groundshift.kernels.robust import robust_fit
from groundshift.kernels.threads import side_by_side

_LEAST_SIGMA = 0.02  # pixels: no measurement counts as more precise than this
ENOUGH = 10  # measurements, below which nothing is estimated


@dataclass(frozen=True)
class Registration:
    """The misregistration of a pair, in pixels of the first image: x to the right, y down.

    `coefficients[c]` is (offset) or (offset, per pixel to the right, per pixel down) of component c (dx, dy), at the
    centre of the measurements.
    """

    kind: str
    coefficients: np.ndarray  # float64 (2, p)
    covariances: np.ndarray  # float64 (2, p, p)
    centre: tuple[float, float]  # row, column
    samples: int

    def at(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dy) at pixel positions of the first image, arrays that broadcast."""
        dx, dy = np.tensordot(self.coefficients, self._terms(rows, cols), 1)
        return dx, dy

    def sigma(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standard deviations of (dx, dy) there, pixels."""
        terms = self._terms(rows, cols)
        x, y = (np.sqrt(np.einsum("p...,pq,q...->...", terms, each, terms)) for each in self.covariances)
        return x, y

    def _terms(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        rows, cols = np.broadcast_arrays(rows, cols)
        terms = [np.ones(rows.shape), cols - self.centre[1], rows - self.centre[0]]
        return np.stack(terms[: self.coefficients.shape[1]])

    def record(self) -> dict[str, Any]:
        """What was removed, for JSON; pixels, and pixels a pixel."""
        names = ("offset", "per_pixel_right", "per_pixel_down")[: self.coefficients.shape[1]]
        return {
            "kind": self.kind,
            "samples": self.samples,
            "centre_row_col": list(self.centre),
            **{
                component: {
                    name: {"value": float(value), "standard_error": float(error)}
                    for name, value, error in zip(names, values, errors, strict=True)
                }
                for component, values, errors in zip(
                    ("dx_pixels", "dy_pixels"),
                    self.coefficients,
                    np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2)),
                    strict=True,
                )
            },
        }


def fit_registration(
    rows: np.ndarray,
    cols: np.ndarray,
    dx: np.ndarray,
    dy: np.ndarray,
    sigma_x: np.ndarray,
    sigma_y: np.ndarray,
    *,
    kind: str,
    alike: float = 0.0,
) -> Registration:
    """Estimate the misregistration of a pair from measured displacements, all 1-D.

    Each component is fitted by itself, by least absolute deviations and then Tukey's biweight.

    Parameters
    ----------
    rows, cols
        Pixel positions on the first image.
    dx, dy, sigma_x, sigma_y
        Measured displacement and its standard deviation, pixels.
    kind
        `none`, `offset` or `ramp`. With fewer than 10 measurements it is `none`.
    alike
        Side of the squares over which errors count as one, pixels, for the covariances; 0 if all are independent.
    """
    if kind == "none" or len(rows) < ENOUGH:
        return Registration("none", np.zeros((2, 1)), np.zeros((2, 1, 1)), (0.0, 0.0), len(rows))
    centre = (float(rows.mean()), float(cols.mean()))
    one = np.ones(len(rows))
    terms = [one] if kind == "offset" else [one, cols - centre[1], rows - centre[0]]
    design = np.column_stack(terms)
    fits = side_by_side(
        partial(robust_fit, design, values, 1 / np.maximum(sigma, _LEAST_SIGMA) ** 2)
        for values, sigma in ((dx, sigma_x), (dy, sigma_y))
    )
    return Registration(
        kind,
        np.array([fit.coefficients for fit in fits]),
        np.array([fit.covariance for fit in fits]) * (_in_one_square(rows, cols, alike) if alike else 1.0),
        centre,
        len(rows),
    )


def _in_one_square(rows: np.ndarray, cols: np.ndarray, side: float) -> float:
    """How many measurements lie in a square, on average of those that hold any."""
    down, right = ((each // side - each.min() // side).astype(np.int64) for each in (rows, cols))
    return len(rows) / np.count_nonzero(np.bincount(down * (right.max() + 1) + right))
