"""An earthquake seen by all: optical maps, two tracks of radar, stations; with the true motion in three dimensions."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field
from pyproj import Transformer
from scipy import fft
from scipy.spatial import cKDTree

from groundshift.grid.axes import true_axes
from groundshift.io.files import write_json
from groundshift.io.gnss.table import write_station_table
from groundshift.io.maps import write_dataset
from groundshift.io.points import write_points
from groundshift.kernels.dislocation_field import dislocation_field
from groundshift.model.displacement import displacement_map
from groundshift.model.points import point_set
from groundshift.model.reason import Reason
from groundshift.model.stations import StationVelocities, build_velocities
from groundshift.synth.faults import Fault
from groundshift.synth.radar.atmosphere import turbulence
from groundshift.synth.radar.options import AtmosphereOptions

OPTICAL_NAME, TRUTH_NAME, STATIONS_NAME, RECORD_NAME = "optical.tif", "truth.tif", "stations.csv", "record.json"
RADAR_NAMES = ("ascending.parquet", "descending.parquet")

_COMPONENTS = ("east", "north", "up")
_LOOKS = {"ascending": (-0.62, -0.11, 0.777), "descending": (0.61, -0.125, 0.782)}
_TRACKS = {"ascending": 64, "descending": 71}
_PRECISION = 1e-3  # m, of the true motion
_UNWRAPPED = 0.014  # m between adjacent pixels that unwrapping can follow: a quarter of the wavelength


class EarthquakeOptions(BaseModel):
    """What the earthquake and its observations are like."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    side: float = Field(48_000.0, gt=0, description="of the area, m")
    pixel: float = Field(100.0, gt=0, description="of the optical map, m; radar has at most one point a pixel")
    crs: str = Field("EPSG:32633", description="of the area, projected")
    corner: tuple[float, float] = Field((500_000.0, 4_650_000.0), description="easting and northing, south-west, m")
    strike: float = Field(20.0, description="degrees from north; the fault dips to the right")
    dip: float = Field(65.0, gt=0, le=90, description="degrees")
    rake: float = Field(40.0, description="degrees: 0 left-lateral, 90 reverse, 180 right-lateral")
    length: float = Field(28_000.0, gt=0, description="of the rupture, m")
    depth: float = Field(14_000.0, gt=0, description="of its lower edge, m; the upper breaks the surface")
    slip: float = Field(5.0, gt=0, description="largest, m")
    optical_noise: tuple[float, float] = Field((0.03, 0.12), description="of pixels, between places, 1 sigma, m")
    optical_correlated: float = Field(0.05, ge=0, description="errors of the sensor alike nearby, 1 sigma, m")
    optical_length: float = Field(6_000.0, gt=0, description="over which they are alike (exponential), m")
    optical_offset: float = Field(0.6, ge=0, description="misregistration of each component, 1 sigma, m")
    optical_ramp: float = Field(0.15, ge=0, description="ramps at the border, 1 sigma, m")
    outliers: float = Field(0.02, ge=0, lt=0.5, description="share of optical pixels that are wrong by metres")
    clouds: float = Field(0.08, ge=0, lt=1, description="share of optical pixels without a measurement")
    radar_noise: float = Field(0.005, ge=0, description="of points, 1 sigma, m")
    radar_air: float = Field(0.02, ge=0, description="difference of the delays of two places 20 km apart, 1 sigma, m")
    radar_scales: tuple[float, float, float] | None = Field(
        AtmosphereOptions().scales,
        description="of the turbulence, m, see `groundshift.synth.radar.atmosphere.turbulence`",
    )
    radar_offset: float = Field(0.06, ge=0, description="1 sigma, m")
    radar_ramp: float = Field(0.02, ge=0, description="ramps of the orbits at the border, 1 sigma, m")
    radar_density: float = Field(0.6, gt=0, le=1, description="share of pixels with a point of a track")
    radar_loss: float = Field(1_500.0, ge=0, description="distance from the rupture within which radar is lost, m")
    stations: int = Field(25, ge=0, description="of satellite navigation")
    station_sigma: tuple[float, float] = Field((0.003, 0.008), description="horizontal and up, m")
    seed: int = Field(0, ge=0, description="of all errors")


class SimulatedEarthquake(NamedTuple):
    """The truth and what is seen of it."""

    truth: np.ndarray  # float64 (3, y, x): east, north, up, m, at the centres of pixels
    grid: GeoBox
    optical: xr.Dataset  # displacement map
    radar: tuple[pa.Table, pa.Table]  # ascending and descending point sets, L2a, two dates
    stations: StationVelocities  # displacements, mm
    trace: np.ndarray  # float64 (n, 2): easting, northing of the rupture at the surface, m
    options: EarthquakeOptions


def simulate_earthquake(options: EarthquakeOptions | None = None) -> SimulatedEarthquake:
    """An earthquake on one plane in an elastic half-space, and what optical images, radar and stations see of it.

    Errors of optical maps are a constant, a ramp, a field of exponential covariance, white noise of which the map
    knows the size, outliers of which it does not, and clouds. Radar has a constant, a ramp, turbulent delays of two
    dates, white noise, and points on a part of the pixels: none near the rupture and where motion changes by more than
    a quarter of the wavelength from pixel to pixel. Dates are 2020-01-01 and 2020-01-13.
    """
    options = options or EarthquakeOptions()
    random = np.random.default_rng(options.seed)
    count = round(options.side / options.pixel)
    west, south = options.corner
    grid = GeoBox(
        (count, count), Affine(options.pixel, 0, west, 0, -options.pixel, south + count * options.pixel), options.crs
    )
    fault = _fault(options, count)
    triangles, slips = fault.triangles()
    truth = dislocation_field(triangles, slips, (count, count), 1.0, (0.0, 0.0), tolerance=_PRECISION).values
    trace = np.stack(grid.affine @ (fault.trace[:, 1] + 0.5, fault.trace[:, 0] + 0.5), axis=1)
    optical = _optical(random, options, truth, grid)
    radar = [_radar(random, options, truth, grid, trace, orbit) for orbit in _LOOKS]
    return SimulatedEarthquake(
        truth, grid, optical, tuple(radar), _stations(random, options, truth, grid, trace), trace, options
    )


def write_earthquake(folder: str | Path, options: EarthquakeOptions | None = None) -> SimulatedEarthquake:
    """Simulate, and write what is seen and the truth: `optical.tif`, `ascending.parquet`, `descending.parquet`,
    `stations.csv` (mm), `truth.tif` and `record.json`."""
    folder, made = Path(folder), simulate_earthquake(options)
    write_dataset(folder / OPTICAL_NAME, made.optical)
    for name, table in zip(RADAR_NAMES, made.radar, strict=True):
        write_points(folder / name, table)
    write_station_table(folder / STATIONS_NAME, made.stations)
    layers = dict(zip(_COMPONENTS, made.truth.astype(np.float32), strict=True))
    layers |= {f"{name}_sigma": np.full(made.grid.shape, _PRECISION, np.float32) for name in layers}
    layers |= {"quality": np.ones(made.grid.shape, np.float32), "reason": np.zeros(made.grid.shape, np.uint8)}
    write_dataset(folder / TRUTH_NAME, displacement_map(layers, made.grid, {**made.optical.attrs, "method": "truth"}))
    write_json(folder / RECORD_NAME, {"options": made.options.model_dump(), "trace": made.trace})
    return made


def _fault(options: EarthquakeOptions, count: int) -> Fault:
    """The plane, in pixels, whose slip falls to the ends and to depth."""
    strike, length = np.radians(options.strike), options.length / options.pixel
    pieces = max(int(length / 4), 2)
    along = np.linspace(-0.5, 0.5, pieces + 1)
    middle = (count - 1) / 2
    trace = middle + length * along[:, None] * np.array([-np.cos(strike), np.sin(strike)])
    depths = np.concatenate([[0.0], np.geomspace(4, options.depth / options.pixel, 5)])
    down = (depths[1:] + depths[:-1]) / 2 / depths[-1]
    centre = (along[1:] + along[:-1]) / 2
    slip = options.slip * np.outer(np.sqrt(1 - down**2), np.sqrt(1 - (2 * centre) ** 2))
    rake = np.radians(options.rake)
    return Fault(trace, depths, options.dip, slip * np.cos(rake), slip * np.sin(rake))


def _optical(random: np.random.Generator, options: EarthquakeOptions, truth: np.ndarray, grid: GeoBox) -> xr.Dataset:
    shape = tuple(grid.shape)
    texture = smooth_field(random, shape, options.optical_length / 2 / options.pixel)
    low, high = options.optical_noise
    sigma = low + (high - low) * np.clip((texture + 2) / 4, 0, 1)
    cloud = smooth_field(random, shape, 3_000 / options.pixel)
    missing = cloud > np.quantile(cloud, 1 - options.clouds) if options.clouds else np.zeros(shape, bool)
    layers: dict[str, np.ndarray] = {"reason": np.where(missing, Reason.CLOUD, Reason.VALID).astype(np.uint8)}
    wrong = random.random(shape) < options.outliers
    for number, name in enumerate(("east", "north")):
        alike = smooth_field(random, shape, options.optical_length / options.pixel)
        value = truth[number] + options.optical_correlated * alike + sigma * random.standard_normal(shape)
        value += _plane(random, shape, options.optical_offset, options.optical_ramp)
        value[wrong] += 3 * random.standard_normal(wrong.sum())
        layers[name] = np.where(missing, np.nan, value).astype(np.float32)
        layers[f"{name}_sigma"] = np.where(missing, np.nan, sigma).astype(np.float32)
    layers["quality"] = np.where(missing, np.nan, 1).astype(np.float32)
    attributes = {
        "date_pre": "2020-01-01", "date_post": "2020-01-13", "method": "simulated", "source_pre": "simulated",
        "source_post": "simulated", "software": "groundshift", "configuration_hash": f"seed {options.seed}",
    }  # fmt: skip
    return displacement_map(layers, grid, attributes)


def _radar(
    random: np.random.Generator,
    options: EarthquakeOptions,
    truth: np.ndarray,
    grid: GeoBox,
    trace: np.ndarray,
    orbit: str,
) -> pa.Table:
    look = np.array(_LOOKS[orbit]) / np.linalg.norm(_LOOKS[orbit])
    shape, spacing = tuple(grid.shape), (options.pixel, options.pixel)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    x, y = grid.affine @ (columns + 0.5, rows + 0.5)
    east, north = true_axes(options.crs, x, y).outward(truth[0], truth[1])
    seen = np.tensordot(look, np.stack([east, north, truth[2]]), 1)
    air = turbulence(
        random, shape, spacing, count=2, variance=options.radar_air**2 / 2, distance=20_000.0,
        scales=options.radar_scales,
    )  # fmt: skip
    steep = np.max([np.abs(np.gradient(seen, axis=axis)) for axis in (0, 1)], axis=0) > _UNWRAPPED
    dense = np.concatenate([np.linspace(a, b, 20) for a, b in itertools.pairwise(trace)])
    near = cKDTree(dense).query(np.stack([x, y], axis=-1), distance_upper_bound=options.radar_loss)[0]
    kept = (random.random(shape) < options.radar_density) & ~steep & ~np.isfinite(near)
    value = seen + air[1] - air[0] + _plane(random, shape, options.radar_offset, options.radar_ramp)
    value = (value + options.radar_noise * random.standard_normal(shape))[kept]
    return point_set(
        {
            "pid": [f"{_TRACKS[orbit]:03d}{number:07d}" for number in np.flatnonzero(kept)],
            "easting": x[kept], "northing": y[kept],
            **{f"los_{name}": np.full(len(value), part) for name, part in zip(_COMPONENTS, look, strict=True)},
            "displacement": 1000 * np.stack([np.zeros_like(value), value], axis=1),
        },
        level="L2a", dates=["2020-01-01", "2020-01-13"], crs=options.crs, track=_TRACKS[orbit],
        provenance={"source": "simulated", "seed": options.seed},
    )  # fmt: skip


def _stations(
    random: np.random.Generator, options: EarthquakeOptions, truth: np.ndarray, grid: GeoBox, trace: np.ndarray
) -> StationVelocities:
    """Stations spread over the area, not within 2 km of the rupture."""
    count, chosen = grid.shape[0], []
    while len(chosen) < options.stations:
        row, column = random.integers(0, count, 2)
        place = np.array(grid.affine @ (column + 0.5, row + 0.5))
        far = all(np.hypot(*(place - other)) > options.side / 12 for *_, other in chosen)
        if far and np.hypot(*(trace - place).T).min() > 2_000:
            chosen.append((row, column, place))
    places = np.array([place for *_, place in chosen]).reshape(-1, 2)
    longitude, latitude = Transformer.from_crs(options.crs, "EPSG:4326", always_xy=True).transform(*places.T)
    sigma = np.repeat(options.station_sigma, (2, 1)) * 1000
    motion = np.array([truth[:, row, column] for row, column, _ in chosen]).reshape(-1, 3) * 1000
    motion[:, 0], motion[:, 1] = true_axes(options.crs, *places.T).outward(motion[:, 0], motion[:, 1])
    return build_velocities(
        [f"ST{number:02d}" for number in range(len(chosen))], latitude, longitude,
        motion + sigma * random.standard_normal(motion.shape), frame="local", source="simulated stations",
        sigma=np.tile(sigma, (len(chosen), 1)), quantity="displacement",
    )  # fmt: skip


def smooth_field(random: np.random.Generator, shape: tuple[int, int], length: float) -> np.ndarray:
    """A random field of mean 0, variance 1 and covariance exp(-distance / length), float64 (y, x); length in pixels."""
    large = [fft.next_fast_len(2 * size, real=True) for size in shape]
    y, x = np.minimum(np.arange(large[0]), large[0] - np.arange(large[0])), np.arange(large[1])
    distance = np.hypot(y[:, None], np.minimum(x, large[1] - x))
    power = np.maximum(fft.rfft2(np.exp(-distance / length)).real, 0)
    noise = fft.rfft2(random.standard_normal(large))
    return fft.irfft2(noise * np.sqrt(power), s=large)[: shape[0], : shape[1]]


def _plane(random: np.random.Generator, shape: tuple[int, int], offset: float, ramp: float) -> np.ndarray:
    y, x = (np.linspace(-1, 1, size) for size in shape)
    a, b, c = random.standard_normal(3) * (offset, ramp, ramp)
    return a + b * y[:, None] + c * x
