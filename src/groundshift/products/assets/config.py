"""Options of the assessment of assets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["road", "railway", "bridge", "building", "dam", "other"]


class KindConfig(BaseModel):
    """What holds for one kind of asset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: float = Field(10.0, ge=0, description="of an asset that is drawn as a line and says no width, m")
    segment: float = Field(50.0, gt=0, description="length of the segments that an asset is cut into, m")


class Levels(BaseModel):
    """What it takes for an asset to reach each level of alert: notice, watch, alert.

    A level is reached by a quantity that noise reaches with no more than the stated chance, and whose size is at least
    the one given here. Distortion is over the time of the series: 0.5, 1 and 2 mrad are 1/2000, 1/1000 and 1/500
    (EN 1997-1:2004, Annex H: 1/500 is acceptable for many structures, 1/150 is likely to be a limit of safety).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarms: tuple[float, float, float] = Field(
        (0.01, 0.001, 0.0001), description="chance that an asset without motion reaches the level"
    )
    velocity: tuple[float, float, float] = Field((0.0, 2.0, 5.0), description="mm/yr, either sign")
    distortion: tuple[float, float, float] = Field((0.0, 0.5, 2.0), description="mrad over the time of the series")
    acceleration: tuple[float, float, float] = Field((0.0, 0.5, 1.5), description="mm/yr², either sign")
    bend: tuple[float, float, float] = Field((0.0, 2.0, 5.0), description="change of rate, mm/yr, either sign")
    step: tuple[float, float, float] = Field((0.0, 4.0, 10.0), description="mm, either sign")

    @model_validator(mode="after")
    def _ordered(self) -> Levels:
        if not 1 > self.false_alarms[0] >= self.false_alarms[1] >= self.false_alarms[2] > 0:
            raise ValueError(f"false_alarms {self.false_alarms} should fall from notice to alert, between 0 and 1")
        for name in ("velocity", "distortion", "acceleration", "bend", "step"):
            sizes = getattr(self, name)
            if not 0 <= sizes[0] <= sizes[1] <= sizes[2]:
                raise ValueError(f"{name} {sizes} should rise from notice to alert, from 0")
        return self


class AssetConfig(BaseModel):
    """How points are given to assets, and assets are judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    location_sigma: float = Field(5.0, gt=0, description="of a point's easting and of its northing, m")
    least_chance: float = Field(
        0.25, gt=0, lt=1, description="chance of being on an asset below which a point does not count for it"
    )
    least_points: int = Field(3, ge=2, description="of an asset that is judged")
    least_points_segment: int = Field(2, ge=1, description="of a segment that is compared with its neighbour")
    largest_gap: float = Field(2.5, ge=1, description="between neighbours that are compared, in lengths of a segment")
    least_rate_scatter: float = Field(
        0.0, ge=0, description="of the velocities of points beside each other beyond their sigmas, mm/yr; else found"
    )
    reference: Literal["around", "zero"] = Field(
        "around", description="velocity of an asset at rest: the median of points around it, or zero"
    )
    reference_radius: float = Field(5000.0, gt=0, description="within which points are around an asset, m")
    reference_sigma: float = Field(
        0.5, ge=0, description="of the velocity zero: how well the points are tied to stations, mm/yr; not of a median"
    )
    wavelength: float = Field(
        55.465763, ge=0, description="of the radar, mm: a point that departs from its asset by half of it is unwrapped "
        "wrongly; 0 leaves such points as they are",
    )  # fmt: skip
    vertical: bool = Field(False, description="whether lines of sight are divided by their up part: motion is vertical")
    kinds: dict[Kind, KindConfig] = Field(
        {
            "road": KindConfig(width=10, segment=50),
            "railway": KindConfig(width=10, segment=50),
            "bridge": KindConfig(width=12, segment=25),
            "building": KindConfig(width=10, segment=10),
            "dam": KindConfig(width=15, segment=25),
            "other": KindConfig(width=10, segment=50),
        },
        description="what holds for each kind",
    )
    levels: Levels = Field(Levels(), description="of alert")
    sheets: int = Field(12, ge=0, description="assets that get a page of their own, the worst first")
    sheet_format: Literal["pdf", "png"] = Field("pdf", description="of these pages")
