"""Displacement maps against offsets of stations and offsets measured in the field, and on stable ground."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
import xarray as xr
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.figures.validation import agreement_figure, stable_figure
from groundshift.grid.axes import true_axes
from groundshift.grid.tiles import Box
from groundshift.io.features import Features
from groundshift.io.vectors import Mask
from groundshift.kernels.robust import nmad
from groundshift.optical.profile import offset_curve
from groundshift.validate.checks.stations import definition_of
from groundshift.validate.intervals import bootstrap_number, mean_number, share_number, spread_number
from groundshift.validate.record import Check, Number, Requirement

_COMPONENTS = ("east", "north", "up")
_CALIBRATED = Requirement(0.8, 1.25, "convention of groundshift: sigmas are checked")
_LEAST_STABLE = 400  # pixels
_TRIMMED = 0.9247  # mean square of a standard Gaussian within its 99 %: 1 − 2 z φ(z) / 0.99, z = 2.576
_BLOCK = 16  # map pixels: side of the blocks that errors are taken to be alike in


class Offsets(NamedTuple):
    """Offsets at points; k of one component."""

    name: np.ndarray
    positions: np.ndarray  # float64 (k, 2), m
    points: np.ndarray  # int (k,): pixels that were averaged
    product: np.ndarray  # m
    product_sigma: np.ndarray
    reference: np.ndarray
    reference_sigma: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Map minus reference, m."""
        return self.product - self.reference


def check_offsets(
    dataset: xr.Dataset, offsets: Features, *, window: int = 3, required: float | None = None
) -> Check:  # fmt: skip
    """A displacement map against the offsets of GNSS stations, component by component.

    With d_k = u_map − u_GNSS at station k, u_map being the median of the valid pixels of a small window, the bias is
    mean(d), the error sqrt(mean(d²)), and the standardised error sqrt(mean(d² / (σ_map² + σ_GNSS²))), which is 1 if the
    sigmas are right. East and north of the map are turned into those of the stations.

    Parameters
    ----------
    dataset
        A displacement map.
    offsets
        Points with columns `east`, `north`, `up` (any of them), and `east_sigma`…, in metres; `name` if there is one.
    window
        Map pixels on a side.
    required
        Error that is asked for, m; none by default.

    Raises
    ------
    InputError
        If fewer than three points lie on valid pixels.
    """
    offsets = offsets.to_crs(CRS.from_user_input(dataset.rio.crs))
    asked = None if required is None else Requirement.at_most(required, "asked for by the user")
    numbers: list[Number] = []
    found: dict[str, Offsets] = {}
    positions = shapely.get_coordinates(shapely.centroid(offsets.geometry))
    for component, read in _read(dataset, positions, window).items():
        if component not in offsets.attributes.column_names:
            continue
        each = _compared(read, positions, offsets, component)
        if len(each.name) < 3:
            continue
        found[component] = each
        standard = each.difference / np.hypot(each.product_sigma, each.reference_sigma)
        numbers += [
            mean_number(f"bias, {component}", each.difference, "m"),
            spread_number(f"error, {component}", each.difference, "m", asked),
            spread_number(f"standardised error, {component}", standard, ""),
        ]
    if not found:
        raise InputError("fewer than three offsets lie on valid pixels; give points with east, north or up in metres")
    some = next(iter(found.values()))
    joined = Offsets(*(np.concatenate([getattr(each, name) for each in found.values()]) for name in Offsets._fields))
    notes = (
        f"{len(some.name)} of {len(offsets)} points lie on valid pixels; the median of {window} × {window} counts.",
        "The map's sigma is that of one pixel: a median of several errs less where their errors are independent, and "
        "the standardised error is then below 1.",
    )
    return Check("offsets", "Displacement map against GNSS offsets", definition_of(check_offsets), tuple(numbers),
                 agreement_figure(joined, unit="m", names=("GNSS", "map")), notes, joined._asdict())  # fmt: skip


def check_field_offsets(
    dataset: xr.Dataset, trace: np.ndarray, field: Features, *,
    length: float, width: float, required: float | None = None,
) -> Check:  # fmt: skip
    """Offsets across a fault against those measured in the field, at the same places along it.

    With d_k = o_map − o_field at place k, o_map being the right-lateral offset of a swath around it, the bias is
    mean(d) and the error sqrt(mean(d²)). Field offsets hold the slip on the fault itself; a swath also holds what is
    bent beside it, so a positive bias in the sense of the slip is no error of the map.

    Parameters
    ----------
    dataset
        A displacement map.
    trace
        Vertices of the fault, float (n, 2), in the CRS of the map.
    field
        Points with columns `right_lateral` and `sigma`, m.
    length, width
        Of the swath across and along the fault, m.
    required
        Error that is asked for, m; none by default.
    """
    field = field.to_crs(CRS.from_user_input(dataset.rio.crs))
    line = shapely.LineString(trace)
    along = shapely.line_locate_point(line, field.geometry)
    curve = offset_curve(dataset, trace, spacing=width / 2, width=width, length=length)
    at = np.array([each.along for each in curve])
    near = np.abs(at[None] - along[:, None])
    good = (near.min(axis=1) <= width / 2) if len(at) else np.zeros(len(along), bool)
    if good.sum() < 3:
        raise InputError(f"{int(good.sum())} of {len(field)} field offsets lie where the map has an offset; give three")
    row = near.argmin(axis=1)[good]
    names = _names(field)[good]
    reference, sigma = (_numbers(field, name)[good] for name in ("right_lateral", "sigma"))
    found = Offsets(
        names, shapely.get_coordinates(field.geometry)[good], np.ones(good.sum(), int),
        np.array([curve[k].right_lateral for k in row]), np.array([curve[k].right_lateral_sigma for k in row]),
        reference, sigma,
    )  # fmt: skip
    asked = None if required is None else Requirement.at_most(required, "asked for by the user")
    numbers = (mean_number("bias", found.difference, "m"), spread_number("error", found.difference, "m", asked))
    return Check("field", "Fault offsets against the field", definition_of(check_field_offsets), numbers,
                 agreement_figure(found, unit="m", names=("field", "map")), (), found._asdict())  # fmt: skip


def check_stable_ground(dataset: xr.Dataset, stable: Mask, *, required: float | None = None) -> Check:
    """A displacement map where nothing moved: what it shows there is error.

    On the valid pixels of the stable ground and for each component u with its σ: the bias is median(u), the error
    1.4826 · median|u − median(u)|, the mean squared standardised error mean((u / σ)²) without the largest 1 %, which is
    1 if the sigmas are right, and the share of outliers that of |u| > 5 σ.

    Parameters
    ----------
    dataset
        A displacement map.
    stable
        What is stable, on the grid of the map; see :func:`~groundshift.io.vectors.read_mask`.
    required
        Error that is asked for, m; none by default.

    Raises
    ------
    InputError
        If fewer than 400 valid pixels are stable.
    """
    rows, cols = dataset["valid"].shape[-2:]
    marked = stable.read(Box(0, 0, rows, cols)) & dataset["valid"].values
    if marked.sum() < _LEAST_STABLE:
        raise InputError(f"{int(marked.sum())} valid pixels are stable; expected {_LEAST_STABLE} or more")
    y, x = np.nonzero(marked)
    group = (y // _BLOCK) * (cols // _BLOCK + 1) + x // _BLOCK
    asked = None if required is None else Requirement.at_most(required, "asked for by the user")
    numbers: list[Number] = []
    details: dict[str, np.ndarray] = {}
    for component in _COMPONENTS:
        if component not in dataset:
            continue
        values = dataset[component].values[marked].astype(float)
        standard = values / dataset[f"{component}_sigma"].values[marked]
        details[component], details[f"{component}_standardised"] = values, standard
        kind = f"blocks of {_BLOCK} pixels"
        numbers += [
            bootstrap_number(f"bias, {component}", lambda r, v=values: float(np.median(v[r])), group, "m", kind=kind),
            bootstrap_number(f"error, {component}", lambda r, v=values: nmad(v[r]), group, "m", asked, kind=kind),
            bootstrap_number(f"mean squared standardised error, {component}",
                             lambda r, s=standard: _trimmed(s[r]), group, "", _CALIBRATED, kind=kind),
            share_number(f"outliers, {component}", int((np.abs(standard) > 5).sum()), len(standard)),
        ]  # fmt: skip
    notes = (f"{len(values)} stable pixels. The interval of the share of outliers takes pixels for independent.",)
    return Check("stable", "Displacement map on stable ground", definition_of(check_stable_ground), tuple(numbers),
                 stable_figure(details), notes, details)  # fmt: skip


def _trimmed(standard: np.ndarray) -> float:
    square = standard**2
    return float(square[square <= np.quantile(square, 0.99)].mean() / _TRIMMED)


def _names(features: Features) -> np.ndarray:
    if "name" in features.attributes.column_names:
        return np.array([str(each) for each in features.attributes["name"].to_pylist()])
    return np.array([str(n + 1) for n in range(len(features))])


def _numbers(features: Features, name: str) -> np.ndarray:
    """A column of metres, NaN where it is null; InputError if there is none, or it holds no numbers."""
    try:
        return features.attributes[name].to_numpy().astype(float)
    except (KeyError, ValueError, TypeError) as error:
        have = ", ".join(features.attributes.column_names)
        raise InputError(f"offsets have the columns {have}; expected {name} with numbers, in metres") from error


def _read(dataset: xr.Dataset, positions: np.ndarray, window: int) -> dict[str, np.ndarray]:
    """Median, median sigma and number of the valid pixels around each place, float64 (n, 3) for each component; NaN
    where there are none. East and north are those of the ellipsoid, as stations have them, if the map has both."""
    x, y = (dataset[name].values for name in ("x", "y"))
    col, row = ((p - axis[0]) / (axis[1] - axis[0]) + 0.5 for p, axis in zip(positions.T, (x, y), strict=True))
    half = window // 2
    found: dict[str, np.ndarray] = {}
    for component in (each for each in _COMPONENTS if each in dataset):
        values, sigma = (dataset[name].values for name in (component, f"{component}_sigma"))
        found[component] = np.full((len(positions), 3), np.nan)
        for k, (r, c) in enumerate(zip(np.floor(row).astype(int), np.floor(col).astype(int), strict=True)):
            part = np.s_[max(r - half, 0) : max(r + half + 1, 0), max(c - half, 0) : max(c + half + 1, 0)]
            there = np.isfinite(values[part])
            if there.any():
                found[component][k] = np.median(values[part][there]), np.median(sigma[part][there]), there.sum()
    if {"east", "north"} <= set(found):
        turn, both = true_axes(dataset.rio.crs, *positions.T), (found["east"], found["north"])
        values = turn.outward(*(each[:, 0] for each in both))
        variances = turn.variance(*(each[:, 1] ** 2 for each in both))
        for each, value, variance in zip(both, values, variances, strict=True):
            each[:, 0], each[:, 1] = value, np.sqrt(variance)
    return found


def _compared(read: np.ndarray, positions: np.ndarray, offsets: Features, component: str) -> Offsets:
    reference, own = (_numbers(offsets, name) for name in (component, f"{component}_sigma"))
    good = np.isfinite(read[:, 0]) & np.isfinite(reference)
    value, sigma, count = read[good].T
    return Offsets(_names(offsets)[good], positions[good], count.astype(int), value, sigma, reference[good], own[good])
