"""What can be chosen when candidates are found and phases are linked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ReferenceConfig(BaseModel):
    """What is expected of the coherence of two images, to choose the reference image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    critical_baseline: float = Field(
        5000.0, gt=0, description="perpendicular baseline at which coherence is lost, m; about 5000 for Sentinel-1"
    )
    decay: float = Field(180.0, gt=0, description="time in which coherence falls to 1/e, days")


class PointResponseConfig(BaseModel):
    """Response of sensor and processor to a point, in azimuth and range; those of Sentinel-1 IW1 if not given.

    (1, 1) for both is data sampled at its bandwidth without weighting, as are simulated pixels without correlation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolution: tuple[float, float] = Field(
        (1.49, 1.14), description="sampling rate over processed bandwidth, in azimuth and range, 1 to 8"
    )
    taper: tuple[float, float] = Field(
        (0.70, 0.75), description="coefficients of the generalised Hamming windows in azimuth and range; 1 is none"
    )

    @field_validator("resolution")
    @classmethod
    def _sampled(cls, value: tuple[float, float]) -> tuple[float, float]:
        if min(value) < 1 or max(value) > 8:
            raise ValueError(f"resolution {value} should be 1 to 8 pixels")
        return value

    @field_validator("taper")
    @classmethod
    def _window(cls, value: tuple[float, float]) -> tuple[float, float]:
        if min(value) <= 0.5 or max(value) > 1:
            raise ValueError(f"taper {value} should be above 0.5 and at most 1")
        return value

    @property
    def independent_share(self) -> float:
        """Independent looks a pixel: (mean of |W|²)² / mean of |W|⁴ over the sampled band W, of both axes."""
        share = 1.0
        for resolution, w in zip(self.resolution, self.taper, strict=True):
            v = 1 - w
            second = w**2 + v**2 / 2
            fourth = w**4 + 3 * w**2 * v**2 + 3 * v**4 / 8
            share *= second**2 / fourth / resolution
        return share


class CandidateConfig(BaseModel):
    """Which pixels are candidates for persistent scatterers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_dispersion: float = Field(
        0.25, gt=0, le=0.5, description="a pixel of smaller amplitude dispersion (deviation over mean) is a candidate"
    )
    min_signal_to_clutter: float = Field(
        8.0, description="a pixel of larger signal-to-clutter ratio is a candidate, dB, if its amplitude is steady"
    )
    steady_dispersion: float = Field(
        0.35, gt=0, le=0.5, description="largest amplitude dispersion of a candidate by signal-to-clutter ratio"
    )
    clutter_window: tuple[int, int] = Field(
        (11, 23), description="lines and pixels around a pixel that give the clutter, odd"
    )
    guard: tuple[int, int] = Field(
        (1, 2), description="lines and pixels to each side of a pixel's own line and pixel that are not clutter"
    )
    response: PointResponseConfig = Field(PointResponseConfig(), description="the sensor's response to a point")
    side_lobe_reach: int = Field(25, ge=0, le=100, description="farthest side lobe, resolution cells; 0 keeps them all")
    side_lobe_margin: float = Field(
        6.0, ge=0, le=20, description="how far above the responses of brighter scatterers a side lobe may be, dB"
    )

    @field_validator("clutter_window")
    @classmethod
    def _odd(cls, value: tuple[int, int]) -> tuple[int, int]:
        return odd_window(value)


class LinkConfig(BaseModel):
    """How neighbours are chosen and phases are linked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: tuple[int, int] = Field((11, 23), description="lines and pixels in which neighbours are looked for, odd")
    test: Literal["glrt", "ks", "none"] = Field(
        "glrt",
        description="glrt: ratio of mean intensities; ks: Kolmogorov-Smirnov of amplitudes; none: the whole window",
    )
    significance: float = Field(0.01, gt=0, lt=1, description="share of true neighbours that the test refuses")
    connected: bool = Field(False, description="neighbours must be joined to the pixel by neighbours")
    min_neighbours: int = Field(20, ge=2, description="fewest neighbours, the pixel included, for a result")
    evenness: float = Field(
        0.0, ge=0, le=1,
        description="power of its mean amplitude that each neighbour is divided by: 0 is best where all have one law, "
        "1 lets bright ones count no more than others",
    )  # fmt: skip
    response: PointResponseConfig = Field(
        PointResponseConfig(), description="the sensor's response to a point, which says how many pixels are one look"
    )
    estimator: Literal["emi", "evd"] = Field(
        "emi", description="emi: smallest eigenvector of the weighted matrix; evd: largest of the coherence matrix"
    )
    ministack: int | None = Field(
        None, ge=5, description="most images linked at once; all if not given. For series much longer than 60 images"
    )
    stride: tuple[int, int] = Field((1, 1), description="lines and pixels of the input to one of the output")

    @field_validator("window")
    @classmethod
    def _odd(cls, value: tuple[int, int]) -> tuple[int, int]:
        return odd_window(value)

    @field_validator("stride")
    @classmethod
    def _positive(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 1:
            raise ValueError(f"stride {value} should be at least 1 line and 1 pixel")
        return value

    @property
    def halo(self) -> tuple[int, int]:
        """Lines and pixels around a tile that its results depend on."""
        return self.window[0] // 2, self.window[1] // 2


def odd_window(value: tuple[int, int]) -> tuple[int, int]:
    """The window, if it has a middle: odd sizes from 3 to 201."""
    if any(side % 2 == 0 or not 3 <= side <= 201 for side in value):
        raise ValueError(f"window {value} should be two odd numbers from 3 to 201: lines, pixels")
    return value
