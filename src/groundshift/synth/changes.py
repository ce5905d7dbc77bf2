"""What else differs between two images of the same ground."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage


class Changes(BaseModel):
    """Changes of the second image of a simulated pair; each is off at 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: float = Field(0.0, ge=0, le=1, description="share of the fields whose brightness changed")
    gain: float = Field(0.0, ge=0, description="relative change of gain")
    offset: float = Field(0.0, description="added to all values, units of the image")
    illumination: float = Field(0.0, ge=0, le=1, description="relative amplitude of a broad change of brightness")
    noise: float = Field(0.0, ge=0, description="sensor noise of both images, share of the image's standard deviation")
    shift_x: float = Field(0.0, description="misregistration to the right, pixels")
    shift_y: float = Field(0.0, description="misregistration down, pixels")


def changed(image: np.ndarray, field: np.ndarray, changes: Changes, random: np.random.Generator) -> np.ndarray:
    """The image as it looks later, before its ground moves: fields, illumination, gain and offset; float32 (y, x).

    Parameters
    ----------
    image, field
        A scene and the numbers of its fields, (y, x).
    """
    count = int(field.max()) + 1
    factor = np.where(random.uniform(size=count) < changes.fields, random.uniform(0.5, 1.8, count), 1.0)
    edge = ndimage.gaussian_filter(factor[field], 0.6)
    broad = ndimage.gaussian_filter(random.normal(size=image.shape), min(image.shape) / 6)
    light = 1 + changes.illumination * broad / max(np.abs(broad).max(), 1e-12)
    return (image * edge * light * (1 + changes.gain) + changes.offset).astype(np.float32)


def with_noise(image: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """The image with white noise of `share` times its standard deviation, float32."""
    return (image + share * image.std() * random.normal(size=image.shape)).astype(np.float32)
