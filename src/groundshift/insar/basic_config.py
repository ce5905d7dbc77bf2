"""What can be chosen on the way from a stack to measurement points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from groundshift.insar.config import CandidateConfig, LinkConfig, ReferenceConfig
from groundshift.insar.motion.atmosphere import AtmosphereConfig
from groundshift.insar.network.arcs import NetworkConfig

_LINK = LinkConfig(stride=(4, 16), min_neighbours=21, evenness=1.0)
_CANDIDATES = CandidateConfig(max_dispersion=0.45, steady_dispersion=0.45)


def _completed(default: BaseModel, value: Any) -> Any:
    """What is given by field names, and the rest as it is by default here, not in other uses of the same options."""
    return default.model_dump() | dict(value) if isinstance(value, Mapping) else value


class DistributedConfig(BaseModel):
    """Which distributed scatterers are looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    link: Annotated[LinkConfig, BeforeValidator(partial(_completed, _LINK))] = Field(
        _LINK, description="neighbours, phase linking, and the grid of results"
    )
    max_sigma: float = Field(
        0.5, gt=0, description="those with a larger phase sigma, median over the dates, are left out, radians"
    )
    max_foreign: float = Field(
        0.5, gt=0, description="pixels are left out that have more than this share of their intensity from others"
    )
    network_sigma: float = Field(0.3, ge=0, description="those with a smaller one are points of the network, radians")


class BasicConfig(BaseModel):
    """How measurement points are found and measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: ReferenceConfig = Field(ReferenceConfig(), description="how the reference image is chosen")
    candidates: Annotated[CandidateConfig, BeforeValidator(partial(_completed, _CANDIDATES))] = Field(
        _CANDIDATES, description="pixels that are looked at"
    )
    max_dispersion: float = Field(
        0.3, gt=0, le=0.5, description="those of larger amplitude dispersion are no persistent scatterers"
    )
    max_mixture: float = Field(
        5.0, gt=0,
        description="nor are those whose height error changes by more to the pixels beside them, m: two in one",
    )  # fmt: skip
    network_dispersion: float = Field(
        0.25, gt=0, le=0.5, description="those of smaller amplitude dispersion make the network"
    )
    apart: tuple[int, int] = Field(
        (1, 1), description="lines and pixels to each side of a persistent scatterer within which there is no other"
    )
    distributed: DistributedConfig | None = Field(
        DistributedConfig(), description="distributed scatterers; null leaves them out"
    )
    network: NetworkConfig = Field(NetworkConfig(), description="arcs between them, and what is looked for")
    block: int = Field(50_000, ge=200, description="most points of the network that are solved at once")
    overlap: float = Field(500.0, gt=0, description="ground around a block whose points tie it to others, m")
    atmosphere: AtmosphereConfig | None = Field(
        AtmosphereConfig(), description="what is taken for atmosphere; null leaves it in"
    )
    false_alarms: float = Field(1e-5, gt=0, le=0.01, description="share of pixels of noise that become points")
    virtual_reference: Literal["mean", "mode"] = Field("mean", description="of all series, which is taken off each")
    crs: str = Field("EPSG:3035", description="of eastings and northings; EPSG:3035 is Europe's")
    producer: Literal["undefined", "EGEOS", "GAF", "NORCE", "TREA"] = Field(
        "undefined", description="in the names of points"
    )
    tile: int = Field(512, ge=64, description="lines and pixels that are read at once")
    seed: int = Field(0, ge=0, description="of the noise that the acceptance is found from")

    @field_validator("apart")
    @classmethod
    def _near(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 0 or max(value) > 50:
            raise ValueError(f"apart {value} should be two numbers from 0 to 50: lines, pixels")
        return value

    @model_validator(mode="after")
    def _whole_strides(self) -> BasicConfig:
        if self.distributed and any(self.tile % each for each in self.distributed.link.stride):
            raise ValueError(f"tile {self.tile} should be a multiple of stride {self.distributed.link.stride}")
        return self
