"""What samples are like: the options of a simulated pair."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from groundshift.synth.changes import Strength
from groundshift.synth.earthquakes import FaultOptions, Weight

Scale = Literal["very_small", "small", "large", "very_large"]
Kind = Literal["earthquake", "landslide", "glacier", "bowl", "none"]

MARGIN = 24
"""Pixels of ground around a sample, which may move into it."""


def _some(weights: dict) -> dict:
    if not sum(weights.values()) > 0:
        raise ValueError("all weights are 0; give one above")
    return weights


class PairOptions(BaseModel):
    """What samples are like. Each is drawn with its weight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(256, ge=64, le=4096, description="rows and columns of a sample")
    scales: Annotated[dict[Scale, Weight], AfterValidator(_some)] = Field(
        {"very_small": 1, "small": 1, "large": 1, "very_large": 1}, description="weight of each class of displacement"
    )
    kinds: Annotated[dict[Kind, Weight], AfterValidator(_some)] = Field(
        {"earthquake": 0.75, "landslide": 0.08, "glacier": 0.05, "bowl": 0.07, "none": 0.05},
        description="weight of each kind of motion",
    )
    strengths: Annotated[dict[Strength, Weight], AfterValidator(_some)] = Field(
        {"easy": 0.3, "typical": 0.5, "hard": 0.2}, description="weight of each strength of changes and sensors"
    )
    pixel: float = Field(10.0, gt=0, description="size of a pixel of procedural scenes, metres: 10, 15, 0.5")
    ratio: float = Field(
        1.0, ge=1, le=8,
        description="pixels of the scene along a pixel of the sample; above 1, transfer and aliasing are the sensor's",
    )  # fmt: skip
    other_date: float = Field(
        1.0, ge=0, le=1,
        description="share of samples on real pairs whose second image is the other date; the others change the first",
    )  # fmt: skip
    added_geometry: float = Field(
        1.0, ge=0, le=1,
        description="share of samples whose second image is moved by a simulated sensor's geometry, besides its own if "
        "it is of another date; in the others nothing but the ground moves",
    )  # fmt: skip
    faults: FaultOptions = FaultOptions()

    @model_validator(mode="after")
    def _whole(self) -> PairOptions:
        if abs(self.side - (self.size + 2 * MARGIN) * self.ratio) > 1e-9:
            raise ValueError(
                f"size {self.size} and {2 * MARGIN} more are not whole {self.ratio:g}ths; choose another size"
            )
        return self

    @property
    def side(self) -> int:
        """Pixels along the ground of a sample, with its margin."""
        return round((self.size + 2 * MARGIN) * self.ratio)
