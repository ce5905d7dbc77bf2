"""What a simulated radar stack is like."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

from groundshift.synth.earthquakes import Weight

Orbit = Literal["ascending", "descending"]
Region = Literal["water", "bare", "rural", "urban"]
Cover = Literal["water", "bare", "pasture", "crops", "forest", "urban"]
Share = Annotated[float, Field(ge=0, le=1)]

REGIONS: tuple[Region, ...] = ("water", "bare", "rural", "urban")
"""In the order of their codes, from 0 on."""
COVERS: tuple[Cover, ...] = ("water", "bare", "pasture", "crops", "forest", "urban")
"""In the order of their codes, from 0 on; those between bare and urban are parcels of rural areas."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sensor(_Options):
    """The response of the imaging to a point: a sinc, widened by a generalised Hamming window.

    The defaults are those of Sentinel-1 IW (product specification): processed bandwidth over sampling rate, 56.5 over
    64.35 MHz in range and 327 over 486.5 Hz in azimuth.
    """

    range_bandwidth: float = Field(0.878, gt=0, le=1, description="share of the sampling rate in range")
    azimuth_bandwidth: float = Field(0.672, gt=0, le=1, description="share of the sampling rate in azimuth")
    range_window: float = Field(0.75, ge=0.5, le=1, description="Hamming coefficient in range; 1 is no window")
    azimuth_window: float = Field(0.70, ge=0.5, le=1, description="Hamming coefficient in azimuth; 1 is no window")
    reach: int = Field(8, ge=1, le=64, description="pixels to each side at which side lobes are cut")


class Coherence(_Options):
    """How alike the echoes of a distributed scatterer are on two dates.

    With Δ the days between them, and on each g = √(1 − s (1 + cos 2π(day − worst_day)/year) / 2), days counted from
    1 January 1970, it is g₁ g₂ (long_term + (initial − long_term) exp(−Δ / time_constant)), and 1 on a single date.
    """

    initial: Share = Field(description="after no time")
    long_term: Share = Field(0.0, description="after all time; not above `initial`")
    time_constant: float = Field(30.0, gt=0, description="days until the difference of both is down to 1/e")
    seasonal: Share = Field(0.0, description="share s that is lost in the worst season")
    worst_day: float = Field(196.0, description="day of the year on which most is lost")
    power: float = Field(-12.0, description="mean power of the echo, dB")

    @model_validator(mode="after")
    def _falling(self) -> Coherence:
        if self.long_term > self.initial:
            raise ValueError(f"long_term {self.long_term} is above initial {self.initial}; give it at most as much")
        return self


class Covers(_Options):
    """The distributed scatterers of each cover."""

    water: Coherence = Coherence(initial=0, power=-22)
    bare: Coherence = Coherence(initial=0.85, long_term=0.45, time_constant=90, power=-13)
    pasture: Coherence = Coherence(initial=0.65, time_constant=25)
    crops: Coherence = Coherence(initial=0.75, long_term=0.15, time_constant=60, seasonal=0.9)
    forest: Coherence = Coherence(initial=0.3, time_constant=10, power=-9)
    urban: Coherence = Coherence(initial=0.6, long_term=0.25, time_constant=120, power=-9)


class ScattererOptions(_Options):
    """Persistent and distributed scatterers."""

    density: dict[Region, Share] = Field(
        {"water": 0.0, "bare": 0.01, "rural": 0.002, "urban": 0.06},
        description="share of pixels with a persistent scatterer, 0 where not given; buildings are apart",
    )
    on_buildings: Share = Field(0.3, description="share of the pixels of a building with a persistent scatterer")
    scr: float = Field(13.0, description="mean signal-to-clutter ratio of persistent scatterers, dB")
    scr_spread: float = Field(6.0, ge=0, description="its standard deviation, dB")
    scr_range: tuple[float, float] = Field((0.0, 35.0), description="limits of it, dB")
    clutter: float = Field(1.0, ge=0, description="factor on the amplitude of all that is no persistent scatterer")
    coherence: Covers = Covers()


class GroundOptions(_Options):
    """Terrain, what covers it, and how well its height is known."""

    shares: dict[Region, Weight] = Field(
        {"water": 0.06, "bare": 0.14, "rural": 0.4, "urban": 0.4},
        description="weights of the regions, 0 where not given",
    )
    parcels: dict[Literal["pasture", "crops", "forest"], Weight] = Field(
        {"pasture": 0.4, "crops": 0.35, "forest": 0.25}, description="weights of the covers of rural parcels"
    )
    height: float = Field(150.0, description="mean height above the ellipsoid, m")
    relief: float = Field(40.0, ge=0, description="standard deviation of the height, m")
    dem_error: float = Field(2.0, ge=0, description="standard deviation of the error of the known height, m")
    building_height: float = Field(14.0, ge=0, description="mean height of buildings, which the known height lacks, m")
    building_limit: float = Field(60.0, ge=0, le=200, description="height that none exceeds, m")


class MotionOptions(_Options):
    """How the ground moves; 0 leaves a motion out. Places are drawn."""

    subsidence: float = Field(15.0, description="downward rate in the middle of a bowl, mm/yr")
    accelerating: float = Field(3.0, description="downward acceleration in the middle of another bowl, mm/yr²")
    seasonal: float = Field(5.0, description="amplitude in the middle of a bowl that breathes with the groundwater, mm")
    step: float = Field(8.0, description="sudden subsidence in the middle of a bowl, mm")
    step_at: Share = Field(0.6, description="share of the time that has passed when it happens")
    radius: float = Field(300.0, gt=0, description="standard deviation of the bowls, m")
    landslide: float = Field(12.0, description="rate down the slope of a landslide, mm/yr")
    thermal: float = Field(0.15, description="amplitude of the thermal motion of buildings, mm per metre of height")
    settling: Share = Field(0.05, description="share of the buildings that settle, one side more than the other")
    settling_rate: float = Field(8.0, description="largest rate of the side that settles most, mm/yr")
    spread: float = Field(0.0, ge=0, description="standard deviation of a rate of single buildings, mm/yr")


class AtmosphereOptions(_Options):
    """Delay along the line of sight on each date; 0 leaves a part out."""

    turbulence: float = Field(3.0, ge=0, description="variance of the difference of two points, mm²")
    distance: float = Field(1000.0, gt=0, description="distance of these points, m")
    scales: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = Field(
        (250.0, 1500.0, 50_000.0),
        description="wavelengths at which the slope of the power spectrum along a line goes from -2/3 to -8/3, to -5/3 "
        "and to 0, m; null is -8/3 at all",
    )
    unrest: float = Field(
        0.0,
        ge=0,
        le=2,
        description="standard deviation of the natural logarithm of the turbulence's size, date by date",
    )
    stratified: float = Field(0.03, ge=0, description="standard deviation of the delay that goes with height, mm/m")
    stratified_seasonal: float = Field(0.03, ge=0, description="amplitude of the part of it that is seasonal, mm/m")
    ramp: float = Field(3.0, ge=0, description="standard deviation of the orbital ramp across the image, mm")

    @field_validator("scales")
    @classmethod
    def _ascending(cls, value: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if value is not None and sorted(value) != list(value):
            raise ValueError(f"scales {value} should ascend, m: 250, 1500, 50000, for example")
        return value


class StackOptions(_Options):
    """A stack: size, dates, orbit, and everything in it. The same options give the same stack."""

    lines: int = Field(500, ge=8, le=20_000, description="rows, along the orbit")
    pixels: int = Field(500, ge=8, le=40_000, description="columns, in range")
    dates: int = Field(30, ge=2, le=2000, description="images")
    interval: Literal[6, 12] = Field(12, description="days between images")
    missing: float = Field(0.1, ge=0, le=0.9, description="share of the dates on which there is none")
    start: datetime.date = Field(datetime.date(2018, 1, 4), description="first date")
    orbit: Orbit = Field("ascending", description="both see the same ground, moving the same way")
    latitude: float = Field(45.0, ge=-80, le=80, description="of the middle, degrees")
    longitude: float = Field(10.0, ge=-180, le=180, description="of the middle, degrees")
    baseline: float = Field(60.0, ge=0, description="standard deviation of the perpendicular baseline, m; at most 150")
    gain: float = Field(0.3, ge=0, description="standard deviation of the calibration of an image, dB")
    seed: int = Field(0, ge=0, description="of everything that is drawn")
    sensor: Sensor = Sensor()
    ground: GroundOptions = GroundOptions()
    scatterers: ScattererOptions = ScattererOptions()
    motion: MotionOptions = MotionOptions()
    atmosphere: AtmosphereOptions = AtmosphereOptions()
