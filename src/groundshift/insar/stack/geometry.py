"""When and from where the images of a stack were taken, and what that does to phases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundshift.errors import InputError
from groundshift.model.units import YEAR


@dataclass(frozen=True, eq=False)
class StackGeometry:
    """When and from where the images of a stack were taken.

    Attributes
    ----------
    days
        Days of the images from any origin, ascending; float (time,).
    baselines
        Perpendicular baselines against the reference image, m; float (time,).
    range_sine
        Slant range times the sine of the incidence angle in the middle of the scene, m. Height errors that are
        estimated with it are, at a point with another one, larger by the ratio of the point's to this.
    wavelength
        mm.
    """

    days: np.ndarray
    baselines: np.ndarray
    range_sine: float
    wavelength: float = 55.465763

    def __post_init__(self) -> None:
        days, baselines = np.asarray(self.days, np.float64), np.asarray(self.baselines, np.float64)
        if days.ndim != 1 or baselines.shape != days.shape:
            raise InputError(f"days {days.shape} and baselines {baselines.shape} differ; give one of each an image")
        if len(days) < 5 or (np.diff(days) <= 0).any() or not np.isfinite(baselines).all():
            raise InputError(f"{len(days)} dates; give five or more, ascending and each once, with finite baselines")
        if not self.range_sine > 0 or not self.wavelength > 0:
            raise InputError(f"range times sine {self.range_sine} and wavelength {self.wavelength} must be positive")
        object.__setattr__(self, "days", days)
        object.__setattr__(self, "baselines", baselines)

    @property
    def years(self) -> np.ndarray:
        """Years of 365.25 days from the first image, float64 (time,)."""
        return (self.days - self.days[0]) / YEAR

    @property
    def phase_per_mm(self) -> float:
        """Phase of reference × conj(secondary) per millimetre toward the satellite, radians: −4π/λ."""
        return -4 * np.pi / self.wavelength

    @property
    def height_to_mm(self) -> np.ndarray:
        """Displacement that a height error of 1 m looks like, mm; float64 (time,): −1000 B⊥ / (R sin θ)."""
        return -1000 * self.baselines / self.range_sine

    @property
    def rates(self) -> np.ndarray:
        """Phase per mm/yr of velocity and per m of height error, radians; float64 (2, time)."""
        return self.phase_per_mm * np.stack([self.years, self.height_to_mm])

    @property
    def formal(self) -> np.ndarray:
        """Standard deviation of velocity (mm/yr) and height error (m) per radian of phase noise, float64 (2,)."""
        design = np.column_stack([self.rates.T, np.ones(len(self.days))])
        return np.sqrt(np.linalg.pinv(design.T @ design).diagonal()[:2])
