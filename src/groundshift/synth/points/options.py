"""What a simulated strip is like."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyproj import CRS
from pyproj.exceptions import CRSError


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MotionOptions(_Options):
    """How the ground moves: what stations tens of kilometres apart can show, and what they cannot."""

    slip: float = Field(3.0, description="right-lateral slip of a locked fault through the middle, mm/yr")
    locking_depth: float = Field(15.0, gt=0, description="depth above which it is locked, km")
    strike: float = Field(30.0, description="of the fault, degrees from north")
    stretching: float = Field(0.6, description="change of the velocity to the east, mm/yr over 100 km to the east")
    uplift: float = Field(2.0, description="upward at the crest of a wide ridge that runs east, mm/yr")
    ridge: float = Field(50.0, gt=0, description="standard deviation across the ridge, km")
    bowls: int = Field(12, ge=0, description="bowls of subsidence; the first is in the middle")
    bowl_radius: float = Field(5.0, gt=0, description="radius at which a bowl ends, km")
    bowl_velocity: float = Field(-10.0, description="upward in the middle of the first bowl, mm/yr; others ±50 %")
    slopes: int = Field(60, ge=0, description="sliding slopes")
    slope_radius: float = Field(0.6, gt=0, description="radius at which a slope ends, km")
    slope_velocity: float = Field(20.0, ge=0, description="speed of a slope in its middle, mm/yr")
    rotation: tuple[float, float, float] = Field(
        (0.0, 0.0, 0.0), description="of the plate about X, Y, Z in the frame of the stations, mas/yr"
    )


class ErrorOptions(_Options):
    """What is wrong with the points of a burst, all as standard deviations."""

    offset: float = Field(2.0, ge=0, description="of a burst, beside the mean that is taken off, mm/yr")
    tilt: float = Field(3.0, ge=0, description="of a track, along it and across it, mm/yr over 100 km")
    wave: float = Field(0.7, ge=0, description="of waves along and across a track, mm/yr")
    wavelength: float = Field(250.0, gt=0, description="of these waves, km; each between 0.8 and 1.5 times this")
    air: float = Field(0.3, ge=0, description="of what is left of the atmosphere in a track, mm/yr")
    air_length: float = Field(8.0, gt=0, description="length over which that is alike (Gaussian), km")
    noise: float = Field(3.0, ge=0, description="of one date of a point, mm; points differ by ±40 %")
    seasonality: float = Field(1.5, ge=0, description="amplitude of the season, mm; points differ by ±50 %")


class StationOptions(_Options):
    """Stations of satellite navigation."""

    count: int = Field(40, ge=1, description="stations to calibrate with")
    held_out: int = Field(20, ge=0, description="further stations, to check with")
    horizontal: float = Field(0.2, gt=0, description="standard deviation east and north, mm/yr; stations ±50 %")
    vertical: float = Field(0.5, gt=0, description="standard deviation upward, mm/yr; stations ±50 %")
    outliers: int = Field(2, ge=0, description="of `count`, stations that are wrong by a few mm/yr")
    margin: float = Field(15.0, ge=0, description="how far outside the strip stations may be, km")
    frame: str = Field("ETRF2000", description="name of the frame of their velocities")


class StripOptions(_Options):
    """A strip seen from ascending and descending tracks, on a plane around a middle."""

    latitude: float = Field(45.5, ge=-80, le=80, description="of the middle, degrees")
    longitude: float = Field(10.5, ge=-180, le=180, description="of the middle, degrees")
    tracks: int = Field(3, ge=1, le=20, description="ascending, and as many descending")
    bursts: int = Field(10, ge=1, le=200, description="of each track")
    across: float = Field(88.0, gt=0, description="width of a burst across the track, km")
    along: float = Field(22.0, gt=0, description="length of a burst along the track, km")
    track_spacing: float = Field(72.0, gt=0, description="from one track to the next, km")
    burst_spacing: float = Field(20.0, gt=0, description="from one burst to the next, km")
    density: float = Field(1.0, gt=0, description="points of a track on a square kilometre")
    crowd: float = Field(2.5, gt=0, description="points of a track in a 100 m cell that has any, on average")
    dates: int = Field(100, ge=7, description="of a track")
    interval: int = Field(12, ge=1, description="days between them")
    start: datetime.date = Field(datetime.date(2018, 1, 4), description="about the first date")
    crs: str = Field("EPSG:3035", description="of eastings and northings")
    seed: int = Field(0, ge=0, description="of everything that is drawn")
    motion: MotionOptions = MotionOptions()
    errors: ErrorOptions = ErrorOptions()
    stations: StationOptions = StationOptions()

    @field_validator("crs")
    @classmethod
    def _projected(cls, value: str) -> str:
        try:
            found = CRS.from_user_input(value)
        except CRSError as error:
            raise ValueError("is no CRS; expected a projected one, as EPSG:3035") from error
        if not found.is_projected:
            raise ValueError("is not projected; expected one in metres, as EPSG:3035")
        return value
