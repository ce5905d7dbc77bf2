"""How sources of displacement are fused over time."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SeriesConfig(BaseModel):
    """How displacement at many dates is found from measurements between dates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(12, ge=1, description="days between dates of the result, and of what is solved for")
    steps: tuple[date, ...] = Field((), description="days on which place and rate may jump, as of an earthquake")
    walk: Literal["integrated", "random"] = Field(
        "integrated", description="what varies at random: the rate of the ground (integrated), or its place"
    )
    sizes: tuple[float, ...] = Field(
        (0.001, 0.008, 0.06, 0.5, 4.0, 30.0),
        min_length=1,
        description="sizes of the walk of a cell that are weighed, m/yr in a year (integrated), or m in a year",
    )
    season: bool = Field(True, description="whether a yearly season is part of the motion")
    jump: float = Field(10.0, gt=0, description="standard deviation of a step, m")
    prior: tuple[float, float, float] | None = Field(
        None, description="standard deviation of the rate of east, north, up, m/yr; if null, from the cells themselves"
    )
    undetermined: float = Field(
        0.3, gt=0, le=1, description="share of the prior sigma of the rate above which a component is left out"
    )
    outlier: float = Field(3.0, gt=1, description="standardised residual from which a measurement counts for less")
    neighbours: float = Field(4.0, gt=1, description="the same, against those around that are nearest to it")
    rounds: int = Field(3, ge=1, le=20, description="of estimating what the cells share")
    sample: int = Field(250, ge=9, description="cells, spread evenly, of which what all cells share is estimated")
    field_sizes: bool = Field(True, description="whether the sizes of errors that are alike nearby are estimated")
    tile: int = Field(64, ge=8, description="side of a tile, cells")
