"""Stations of satellite navigation (GNSS): velocities of many, the series of one; build, check, describe.

Both records say where a station is (degrees, metres above the ellipsoid), how the ground moves there (east, north,
up, in this order; mm and mm/yr), how well this is known, and in which frame: a realisation such as ITRF2020, IGS20 or
ETRF2000, or a plate that is held, as "plate-fixed EURA". What a component was not measured in is NaN, in its
covariance or sigma too: a levelled benchmark has a velocity upward only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from groundshift.errors import ContractError
from groundshift.model.longitude import within_180

COMPONENTS = ("east", "north", "up")


@dataclass(frozen=True, eq=False)
class StationVelocities:
    """Velocities of n stations, in one frame; displacements if `quantity` says so, in mm instead of mm/yr."""

    name: np.ndarray  # str (n,), each once
    latitude: np.ndarray  # float64 (n,), degrees
    longitude: np.ndarray  # float64 (n,), degrees, -180 to 180
    height: np.ndarray  # float64 (n,), metres above the ellipsoid; NaN if not known
    velocity: np.ndarray  # float64 (n, 3), mm/yr: east, north, up; NaN where not measured
    covariance: np.ndarray  # float64 (n, 3, 3), (mm/yr)² of one station's velocity; NaN where not measured
    frame: str  # of the velocities
    epoch: np.datetime64 | None  # the day at which the places hold; None if not known
    source: str  # where the velocities come from
    quantity: str = "velocity"  # or displacement

    def __len__(self) -> int:
        return len(self.name)

    @property
    def sigma(self) -> np.ndarray:
        """One standard deviation of each component, float64 (n, 3), mm/yr; NaN where not measured."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    def select(self, rows: Any) -> StationVelocities:
        """The stations of `rows`: indices or a mask."""
        arrays = ("name", "latitude", "longitude", "height", "velocity", "covariance")
        return replace(self, **{each: getattr(self, each)[rows] for each in arrays})


@dataclass(frozen=True, eq=False)
class StationSeries:
    """How one station moved: its place day by day."""

    name: str
    latitude: float  # degrees
    longitude: float  # degrees, -180 to 180
    height: float  # metres above the ellipsoid; NaN if not known
    days: np.ndarray  # datetime64[D] (t,), increasing
    displacement: np.ndarray  # float64 (t, 3), mm: east, north, up, from any origin; NaN where not measured
    sigma: np.ndarray  # float64 (t, 3), mm, one standard deviation of each; NaN where not measured
    frame: str
    source: str

    def __len__(self) -> int:
        return len(self.days)


def build_velocities(
    name: Sequence[str] | np.ndarray,
    latitude: Any,
    longitude: Any,
    velocity: Any,
    *,
    frame: str,
    source: str,
    sigma: Any = None,
    covariance: Any = None,
    height: Any = None,
    epoch: Any = None,
    quantity: str = "velocity",
) -> StationVelocities:
    """Station velocities from arrays, checked. Longitudes are brought into -180 to 180.

    Parameters
    ----------
    name, latitude, longitude
        As many of each; degrees.
    velocity
        (n, 3), mm/yr: east, north, up; NaN where not measured.
    frame, source
        See :class:`StationVelocities`.
    sigma, covariance
        One of them: (n, 3) in mm/yr, for errors without correlation, or (n, 3, 3) in (mm/yr)².
    height
        (n,), metres above the ellipsoid; NaN if not given.
    epoch
        Day at which the places hold, anything that numpy reads as datetime64[D].
    quantity
        `velocity`, or `displacement` for numbers in mm.

    Raises
    ------
    ContractError
        If sizes differ, both or none of `sigma` and `covariance` are given, or the result fails
        :func:`check_velocities`.
    """
    if (sigma is None) == (covariance is None):
        raise ContractError("velocities came with both or none of sigma and covariance; pass one of them")
    if covariance is None:
        spread = np.asarray(sigma, float)
        if (spread < 0).any():
            raise ContractError(f"a sigma of a velocity is {np.nanmin(spread):g} mm/yr; expected a number above 0")
        covariance = spread[..., :, None] ** 2 * np.eye(3) if spread.shape[-1:] == (3,) else spread
    names = np.asarray(name, str)
    record = StationVelocities(
        name=names,
        latitude=np.asarray(latitude, float),
        longitude=within_180(longitude),
        height=np.full(names.shape, np.nan) if height is None else np.asarray(height, float),
        velocity=np.asarray(velocity, float),
        covariance=_blanked(np.asarray(velocity, float), np.array(covariance, float)),
        frame=frame,
        epoch=None if epoch is None else _day(epoch),
        source=source,
        quantity=quantity,
    )
    check_velocities(record)
    return record


def _day(epoch: Any) -> np.datetime64:
    try:
        return np.datetime64(epoch, "D")
    except ValueError as error:
        raise ContractError(f"epoch {epoch!r} is no day ({error}); expected one such as 2015-01-01") from error


def build_series(
    name: str,
    latitude: float,
    longitude: float,
    days: Any,
    displacement: Any,
    sigma: Any,
    *,
    frame: str,
    source: str,
    height: float = np.nan,
) -> StationSeries:
    """The series of one station from arrays, checked; see :class:`StationSeries` for shapes and units.

    Raises
    ------
    ContractError
        If sizes differ, or the result fails :func:`check_series`.
    """
    record = StationSeries(
        name=str(name),
        latitude=float(latitude),
        longitude=float(within_180(longitude)),
        height=float(height),
        days=np.asarray(days, "datetime64[D]"),
        displacement=np.asarray(displacement, float),
        sigma=np.asarray(sigma, float),
        frame=frame,
        source=source,
    )
    check_series(record)
    return record


def check_velocities(record: StationVelocities) -> None:
    """Raise ContractError, naming the first rule that station velocities break; return None if they keep them all."""
    count = len(record.name)
    shapes = dict.fromkeys(("name", "latitude", "longitude", "height"), (count,))
    _check_shapes(record, shapes | {"velocity": (count, 3), "covariance": (count, 3, 3)})
    _check_words(record)
    if record.quantity not in ("velocity", "displacement"):
        raise ContractError(f"quantity is {record.quantity!r}; expected velocity or displacement")
    names, times = np.unique(record.name, return_counts=True)
    if (times > 1).any():
        raise ContractError(f"station {str(names[times > 1][0])!r} is there twice; keep one velocity a station")
    _check_place(record.name, record.latitude, record.longitude)
    measured = np.isfinite(record.velocity)
    if not measured.any(axis=1).all():
        raise ContractError(f"station {str(record.name[~measured.any(axis=1)][0])!r} has no velocity; leave it out")
    used = measured[:, :, None] & measured[:, None, :]
    if (np.isfinite(record.covariance) != used).any():
        wrong = (np.isfinite(record.covariance) != used).any(axis=(1, 2))
        raise ContractError(
            f"covariance of station {str(record.name[wrong][0])!r} is not finite where its velocity is; "
            "expected numbers for the components that were measured, NaN for the others"
        )
    filled = np.where(used, record.covariance, np.eye(3))
    if not np.allclose(filled, filled.transpose(0, 2, 1), rtol=1e-6, atol=1e-12):
        raise ContractError("a covariance is not symmetric; expected (n, 3, 3), the same on both sides of the diagonal")
    least = np.linalg.eigvalsh(filled)[:, 0] if count else np.ones(0)
    if (least <= 0).any():
        raise ContractError(
            f"covariance of station {str(record.name[least <= 0][0])!r} is not positive definite; "
            "expected standard deviations above 0 and correlations below 1"
        )


def check_series(record: StationSeries) -> None:
    """Raise ContractError, naming the first rule that a station's series breaks; return None if it keeps them all."""
    count = len(record.days)
    _check_shapes(record, {"days": (count,), "displacement": (count, 3), "sigma": (count, 3)})
    _check_words(record)
    _check_place(np.array([record.name]), np.array([record.latitude]), np.array([record.longitude]))
    if not count or np.isnat(record.days).any() or (np.diff(record.days) <= np.timedelta64(0, "D")).any():
        raise ContractError(f"station {record.name!r} has {count} days, not all increasing; expected each day once")
    measured = np.isfinite(record.displacement)
    if (measured != (np.isfinite(record.sigma) & (record.sigma > 0))).any():
        raise ContractError(
            f"sigma of station {record.name!r} must be above 0 where there is a displacement, and NaN where not"
        )


def describe(record: StationVelocities | StationSeries) -> str:
    """A few lines of plain text: what it is, its frame, where it lies, and how fast and how well it moves."""
    if isinstance(record, StationSeries):
        spread = np.nanmedian(record.sigma, axis=0) if len(record) else np.full(3, np.nan)
        return (
            f"series of station {record.name}, {len(record)} days from {record.days[0]} to {record.days[-1]}, "
            f"frame {record.frame}\n"
            f"latitude {record.latitude:.4f}, longitude {record.longitude:.4f}; median sigma "
            + ", ".join(f"{each} {value:.2f} mm" for each, value in zip(COMPONENTS, spread, strict=True))
            + f"\n{record.source}"
        )
    kind, unit = ("velocities", "mm/yr") if record.quantity == "velocity" else ("displacements", "mm")
    lines = [f"{kind} of {len(record)} stations, frame {record.frame}" + _epoch(record.epoch)]
    if len(record):
        lines.append(
            f"latitude {record.latitude.min():.2f} to {record.latitude.max():.2f}, "
            f"longitude {record.longitude.min():.2f} to {record.longitude.max():.2f}"
        )
    for component, value, sigma in zip(COMPONENTS, record.velocity.T, record.sigma.T, strict=True):
        there = np.isfinite(value)
        if there.any():
            lines.append(
                f"{component}: {there.sum()} stations, median {np.median(value[there]):.2f}, "
                f"{value[there].min():.2f} to {value[there].max():.2f} {unit}, "
                f"median sigma {np.median(sigma[there]):.2f} {unit}"
            )
    return "\n".join([*lines, record.source])


def _epoch(epoch: np.datetime64 | None) -> str:
    return "" if epoch is None else f", places of {epoch}"


def _blanked(velocity: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The covariance without what belongs to components that were not measured."""
    if velocity.ndim == 2 and covariance.shape == (*velocity.shape, 3):
        missing = np.isnan(velocity)
        covariance[missing[:, :, None] | missing[:, None, :]] = np.nan
    return covariance


def _check_shapes(record: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    if wrong := [
        f"{k} {getattr(record, k).shape} instead of {s}" for k, s in shapes.items() if getattr(record, k).shape != s
    ]:
        raise ContractError(f"sizes differ: {', '.join(wrong)}; expected one row a station or day")


def _check_words(record: StationVelocities | StationSeries) -> None:
    for name in ("frame", "source"):
        value = getattr(record, name)
        if not isinstance(value, str) or not value.strip():
            raise ContractError(f"{name} is {value!r}; expected text, such as frame='ITRF2020'")


def _check_place(name: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> None:
    good = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    if not good.all():
        raise ContractError(
            f"station {str(name[~good][0])!r} lies at latitude {latitude[~good][0]:g}, "
            f"longitude {longitude[~good][0]:g}; "
            "expected degrees within -90 to 90 and -180 to 180"
        )
