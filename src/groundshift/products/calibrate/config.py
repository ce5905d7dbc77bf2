"""How points are calibrated."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from groundshift.geodesy.velocity_model import VelocityModelConfig


class CalibrateConfig(BaseModel):
    """How the surfaces of bursts are estimated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cutoff: float = Field(
        100.0,
        gt=0,
        description="cut-off wavelength, km: nodes of the splines are half of it apart, and shorter waves stay",
    )
    cell: float = Field(5.0, gt=0, description="side of the cells that points are averaged in, km")
    least: int = Field(4, ge=1, description="points that make a cell")
    bend: float = Field(1.5, gt=0, description="standard deviation of a spline node beforehand, mm/yr")
    tilt: float = Field(10.0, gt=0, description="standard deviation of the tilts of a track, mm/yr over 100 km")
    offset: float = Field(30.0, gt=0, description="standard deviation of the offset of a burst, mm/yr")
    frame: str | None = Field(None, description="frame of the result; that of the stations if null")
    model_spacing: float = Field(10.0, gt=0, description="spacing of the model from which points are interpolated, km")
    radius: float = Field(1.5, gt=0, description="distance from a station at which points are compared with it, km")
    folds: int = Field(5, ge=0, description="parts in which stations are held out in turn for the report; 0 for none")
    velocity_model: VelocityModelConfig = Field(VelocityModelConfig(), description="how stations become a model")
