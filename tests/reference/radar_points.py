"""Points of a simulated town in a radar stack: known motion, height errors, atmosphere and noise."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from groundshift.insar.stack.geometry import StackGeometry


@dataclass
class Town:
    """Truth and phases; arrays are (time, n) or (n,), displacements in mm."""

    geometry: StackGeometry
    positions: np.ndarray
    ground_height: np.ndarray
    velocity: np.ndarray
    height: np.ndarray  # height error, m
    motion: np.ndarray
    atmosphere: np.ndarray  # as displacement
    noise: np.ndarray  # as displacement
    phase: np.ndarray  # unwrapped, against the reference image
    phasors: np.ndarray


def stack_geometry(random: np.random.Generator, dates: int = 60, years: float = 5.0) -> StackGeometry:
    """Dates on a 12-day raster with gaps, and the baselines of a ±150 m tube."""
    days = np.sort(random.choice(int(years * 365 / 12), dates, replace=False)) * 12.0
    baselines = np.clip(random.normal(0, 60, dates), -150, 150)
    baselines[dates // 2] = 0
    return StackGeometry(days, baselines, 850e3 * np.sin(np.radians(39)))


def turbulence(random: np.random.Generator, size: int, spacing: float) -> np.ndarray:
    """Field of unit variance with power k^(-11/3) below 2 km and k^(-8/3) above (Hanssen 2001, section 4.7)."""
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(size, spacing), np.fft.fftfreq(size, spacing))) * 2000
    k[0, 0] = 1
    power = np.where(k < 1, k ** (-8 / 3), k ** (-11 / 3))
    power[0, 0] = 0
    field = np.fft.ifft2(np.fft.fft2(random.normal(size=(size, size))) * np.sqrt(power)).real
    return field / field.std()


def town(
    seed: int = 0,
    *,
    points: int = 2000,
    dates: int = 60,
    side: float = 5000.0,
    atmosphere: float = 3.0,
    stratified: float = 0.0,
    phase_noise: tuple[float, float] = (0.06, 0.45),
    bowl: float = 8.0,
) -> Town:
    """A town of blocks and scattered houses with a subsidence bowl, seasonal and accelerating motion.

    `atmosphere` is the standard deviation over twice the side, mm; 3 makes 2.4 mm between points 1 km apart.
    `stratified` is that of the delay per 100 m of height, mm. `phase_noise` spans the points' noise, radians.
    """
    random = np.random.default_rng(seed)
    geometry = stack_geometry(random, dates)
    years = geometry.years
    blocks = random.uniform(0, side, (60, 2))[random.integers(0, 60, points // 2)]
    blocks = blocks + random.normal(0, side / 20, blocks.shape)
    positions = np.mod(np.concatenate([blocks, random.uniform(0, side, (points - len(blocks), 2))]), side) + 1
    ground_height = 50 * np.sin(positions[:, 0] / side * 4) * np.cos(positions[:, 1] / side * 3)
    radius = np.hypot(*(positions - side * np.array([0.4, 0.6])).T)
    velocity = -bowl * np.exp(-((radius / (side / 6)) ** 2)) + random.normal(0, 0.3, points)
    velocity += (random.random(points) < 0.02) * random.normal(0, 6, points)
    height = random.normal(0, 8, points)
    motion = np.outer(years, velocity) + np.outer(np.sin(2 * np.pi * years), random.normal(0, 1, points))
    motion += 0.4 * np.outer((years - 2) ** 2, radius < side / 8)
    delay = np.empty((dates, points))
    for t in range(dates):
        field = turbulence(random, 128, 2 * side / 127) * atmosphere * random.gamma(4, 0.25)
        delay[t] = map_coordinates(field, (positions / (2 * side) * 127).T, order=1)
    delay += np.outer(random.normal(0, stratified / 100, dates), ground_height)
    noise = random.normal(size=(dates, points)) * random.uniform(*phase_noise, points) / geometry.phase_per_mm
    phase = geometry.phase_per_mm * (motion + np.outer(geometry.height_to_mm, height) + delay + noise)
    phase -= phase[dates // 2]
    phasors = np.exp(1j * phase).astype(np.complex64)
    return Town(
        geometry, positions, ground_height, velocity, height, motion, delay, noise, phase, phasors
    )  # fmt: skip
