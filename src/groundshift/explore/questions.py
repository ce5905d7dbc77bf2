"""What the server may be asked: names, limits, and the bodies of questions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from groundshift.explore.mercator import MAX_ZOOM

MAX_VERTICES, MAX_ROWS, MAX_BODY = 500, 200_000, 2**17

FieldName = Literal[
    "mean_velocity", "acceleration", "seasonality", "mean_velocity_std", "rmse", "temporal_coherence", "height"
]
Palette = Literal["motion", "red-white-blue", "cividis", "viridis"]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-85, le=85, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Place = tuple[Longitude, Latitude]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    field: FieldName = Field("mean_velocity", description="column of the points")
    by: FieldName = Field("mean_velocity", description="column that least and largest are of")
    least: Number = Field(-1e6, description="points with less are left out, in the unit of that column")
    largest: Number = Field(1e6, description="points with more are left out")

    @property
    def keep(self) -> tuple[float, float]:
        """Values that are kept."""
        return self.least, self.largest


class Area(_Asked):
    """An outline on the map."""

    polygon: Annotated[list[Place], Field(min_length=3, max_length=MAX_VERTICES, description="corners, degrees")]


class Selection(Area):
    """Points to take away."""

    format: Literal["csv", "geojson", "parquet"] = Field("csv", description="of the file")


class Line(_Asked):
    """A line on the map."""

    line: Annotated[list[Place], Field(min_length=2, max_length=MAX_VERTICES, description="vertices, degrees")]
    width: Annotated[float, Field(gt=0, le=100_000)] = Field(200.0, description="of the band around it, m")


class Tile(BaseModel):
    """The number of a tile."""

    z: int
    x: int
    y: int


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str | list[dict[str, Any]]


def _tile(
    z: Annotated[int, PathParameter(ge=0, le=MAX_ZOOM)],
    x: Annotated[int, PathParameter(ge=0)],
    y: Annotated[int, PathParameter(ge=0)],
) -> Tile:
    if max(x, y) >= 2**z:
        raise HTTPException(404, f"zoom {z} has tiles 0 to {2**z - 1}")
    return Tile(z=z, x=x, y=y)


At = Annotated[Tile, Depends(_tile)]
