"""What can be chosen when a pair is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CleanConfig(BaseModel):
    """Which cleaning steps run after measuring; all are off unless asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_quality: float = Field(0.0, ge=0, le=1, description="pixels of lower quality become invalid (0 to 1)")
    outliers: bool = Field(False, description="remove outliers by a multi-scale vector median")
    destripe: bool = Field(False, description="remove stripes along and across the sensor's track")
    track_angle: float = Field(0.0, description="sensor's track, degrees clockwise from grid north, for destriping")
    smooth: float = Field(
        0.0, ge=0, description="edge-preserving smoothing: standard deviation in map pixels, 0 is none"
    )


class PairConfig(BaseModel):
    """How to measure one pair of optical images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field("auto", description="auto, or the name of a method: network, dense, gauss-newton, frequency")
    window: int = Field(32, ge=8, le=256, description="final window of a window method, pixels")
    first_window: int | None = Field(
        None,
        ge=8,
        le=256,
        description="first, larger window of `frequency`, pixels; twice `window` if not given",
    )
    step: int | None = Field(
        None,
        ge=1,
        le=256,
        description="pixels between measurements; 1 for a dense method, 8 for a window method",
    )
    max_displacement: float = Field(
        10.0, gt=0, le=200, description="largest displacement looked for after alignment of the pair, pixels"
    )
    iterations: int = Field(3, ge=0, le=20, description="robustness iterations of `frequency`")
    window_shape: Literal["gauss", "box"] = Field("gauss", description="weights inside a window of `gauss-newton`")
    weights: str | None = Field(
        None, description="folder of a network that was trained elsewhere, for `network`; that of the package if none"
    )
    registration: Literal["none", "offset", "ramp"] = Field(
        "offset", description="misregistration of the pair that is estimated and removed"
    )
    tile: int | None = Field(
        None, ge=64, description="side of a tile, pixels of the input image; 1024 if not given, and always for `dense`"
    )
    clean: CleanConfig = Field(default_factory=CleanConfig, description="cleaning steps")

    @model_validator(mode="after")
    def _windows_fit(self) -> PairConfig:
        if self.first_window is not None and self.first_window < self.window:
            raise ValueError(
                f"first_window {self.first_window} is smaller than window {self.window}; give a larger one"
            )
        return self
