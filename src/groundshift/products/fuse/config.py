"""How sources of displacement err, and how they are fused."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Quantity = Literal["displacement", "velocity"]


class SourceErrors(BaseModel):
    """Errors of one source beside the noise that it declares, each as one standard deviation.

    Lengths are metres; with the quantity velocity, errors are metres a year.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset: float = Field(0.0, ge=0, description="of a constant, m")
    ramp: float = Field(0.0, ge=0, description="of a plane, at the border of the area and for each direction, m")
    correlated: float = Field(0.0, ge=0, description="of errors that are alike nearby, m")
    length: float = Field(10_000.0, gt=0, description="over which these are alike (exponential), m")
    noise: float = Field(
        0.0, ge=0, description="of white noise that is added to the declared, a cell, of velocities a place of 100 m, m"
    )


OPTICAL = SourceErrors(offset=1.0, ramp=0.3, correlated=0.05, length=8_000, noise=0.0)
"""Metre-class to half-metre images: jitter, orthorectification and misregistration."""
RADAR = SourceErrors(offset=0.1, ramp=0.05, correlated=0.02, length=10_000, noise=0.003)
"""An interferogram of Sentinel-1: delay in the troposphere, orbits, an unknown cycle."""
RADAR_VELOCITY = SourceErrors(offset=0.002, ramp=0.001, correlated=0.0005, length=20_000, noise=0.0002)
"""Velocities of a stack, calibrated or not, m/yr."""
LEVELLING = SourceErrors(offset=10.0)
"""Heights against a benchmark that may have moved itself."""


class FuseConfig(BaseModel):
    """How sources are fused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Quantity = Field("displacement", description="displacement between two dates, or velocity")
    prior: tuple[float, float, float] | None = Field(
        None,
        description="standard deviation of east, north, up of a cell, m; if null, from the cells themselves",
    )
    undetermined: float = Field(
        0.3, gt=0, le=1, description="share of the prior sigma above which a component is left out"
    )
    outlier: float = Field(3.0, gt=1, description="standardised residual from which a measurement counts for less")
    neighbours: float = Field(4.0, gt=1, description="the same, against those around that are nearest to it")
    rounds: int = Field(3, ge=1, le=20, description="of estimating what the cells share, to find outliers")
    nodes: int = Field(
        400, ge=4, le=2500, description="most nodes of the correlated error of one component of a source"
    )
    sizes: bool = Field(
        True, description="whether the sizes of correlated errors are estimated too; those given count as much as nodes"
    )
    tile: int = Field(256, ge=16, description="side of a tile, cells")
