"""What a training run is made from: one YAML file, with profiles for small and large machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from groundshift.errors import ConfigurationError, InputError, one_line, refused_fields
from groundshift.optical.sharp import TOLD
from groundshift.synth.dataset import DatasetOptions

SHIPPED = "shipped"  # the network of the package


def folder_of(network: str) -> str | None:
    """The folder of a network with its card; None for the one of the package."""
    return None if network == SHIPPED else network


class ModelOptions(BaseModel):
    """How large the network is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (24, 40, 64, 96), min_length=1, description="channels at full, half, … resolution"
    )
    depth: int = Field(2, ge=1, description="convolutions of a level on the way down, and on the way up")
    deeper: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="how often a level is passed once more, the finest first; on the way down, and on the way up"
    )
    windows: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = Field(
        (1.5, 3.0, 6.0), description="Gaussian sigma of the windows of least squares, pixels; the last is the widest"
    )
    reaches: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (4, 9, 18), description="how far around each pixel displacements are looked for that fit it better, pixels"
    )
    told: int = Field(0, ge=0, description="planes that are told of each pixel besides; see `after` of a recipe")

    @model_validator(mode="after")
    def _levels(self) -> ModelOptions:
        if len(self.deeper) > len(self.widths):
            raise ValueError(f"deeper has {len(self.deeper)} levels and widths {len(self.widths)}; give one for each")
        return self


class Recipe(BaseModel):
    """How to train. The same recipe and the same data make the same network on the same kind of machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelOptions = ModelOptions()
    train: tuple[str, ...] = Field((), description="folders of samples to train on")
    made: tuple[DatasetOptions, ...] = Field(
        (), description="sets whose samples are made while training, ever new ones"
    )
    validation: tuple[str, ...] = Field(min_length=1, description="folders of samples on which progress is measured")
    start: str | None = Field(
        None,
        description="what to start with: the state of another run, a folder with weights and their card, or `shipped`, "
        "the network of the package; it may lack `reaches`, the last widths, what is `deeper` and what is `told`",
    )
    after: str | None = Field(
        None,
        description="train the last step: a folder with the network whose field it mends, or `shipped`; with one "
        f"iteration, and a model that is told {TOLD} planes; the folder of the run keeps the samples as they are given",
    )
    calibration: tuple[str, ...] = Field(
        (), description="folders of samples on all of which variances are made right; samples of validation if empty"
    )
    validation_samples: int = Field(48, ge=1, description="of each of these folders, spread over it")
    crop: int = Field(192, ge=64, multiple_of=32, description="side of the squares that are trained on, pixels")
    max_displacement: float = Field(12.0, gt=0, description="of the first field, pixels")
    jitter: float = Field(0.3, ge=0, description="largest smooth error added to the first field, pixels")
    symmetries: bool = Field(True, description="samples are turned and mirrored")
    iterations: int = Field(3, ge=1, description="steps of refinement")
    decay: float = Field(0.7, gt=0, le=1, description="weight of a step against that of the next")
    likelihood: float = Field(1.0, ge=0, description="weight of the likelihood, which teaches the size of the error")
    absolute: float = Field(10.0, ge=0, description="weight of the absolute error, a pixel of error")
    near: float = Field(0.0, ge=0, description="additional weight of pixels at a trace; it fades over 8 pixels")
    level: float = Field(
        0.0, ge=0,
        description="typical error, pixels: samples on which the field that is mended errs by less count for more, in "
        "inverse proportion, up to 5 times, and others for less, down to half; 0 if all count alike",
    )  # fmt: skip
    steps: int = Field(3000, ge=1, description="of the optimiser")
    batch: int = Field(4, ge=1, description="samples a step")
    rate: float = Field(
        5e-4, gt=0, description="largest learning rate; it rises over a twentieth and falls as a cosine"
    )
    optimiser: Literal["adamw", "muon"] = Field(
        "muon", description="of the kernels between the first and the last layer; all else is left to AdamW"
    )
    decay_weights: float = Field(1e-4, ge=0, description="decay of the weights, each step, as a share of the rate")
    average: float = Field(0.998, ge=0, lt=1, description="memory of the moving average of the weights")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the convolutions; bfloat16 is twice as fast where there is hardware for it"
    )
    every: int = Field(250, ge=1, description="steps between validations, which are also where a run goes on")
    workers: int = Field(1, ge=0, description="processes that prepare samples; 0 is this one")
    seed: int = Field(0, ge=0, description="of weights, order, crops and turns")

    @model_validator(mode="after")
    def _something(self) -> Recipe:
        if not self.train and not self.made:
            raise ValueError("there is nothing to train on; give folders of samples (train) or sets to make (made)")
        return self

    @model_validator(mode="after")
    def _last_step(self) -> Recipe:
        told, iterations = (0, self.iterations) if self.after is None else (TOLD, 1)
        if (self.model.told, self.iterations) != (told, iterations):
            raise ValueError(
                f"the model is told {self.model.told} planes, with {self.iterations} iterations and after = "
                f"{self.after}; a last step (after) is told {TOLD}, with 1 iteration, and other networks 0"
            )
        return self


def read_recipe(path: str | Path, *, profile: str | None = None, **changes: Any) -> Recipe:
    """A recipe from a YAML file: its fields, and under `profiles` what is different in each of them.

    Parameters
    ----------
    profile
        Name of one of its profiles.
    changes
        Fields that are different still.

    Raises
    ------
    InputError
        If the file cannot be read.
    ConfigurationError
        If it has no such profile, or fields or values that a recipe has not.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as a recipe ({one_line(error)}); expected a YAML file") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no recipe; expected a YAML file of fields and values")
    profiles = content.pop("profiles", None) or {}
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise ConfigurationError(f"{path}: profiles are no names with fields and values below each; see recipes/")
    if profile is not None and profile not in profiles:
        raise ConfigurationError(f"{path} has no profile {profile!r}; choose one of {', '.join(profiles) or 'none'}")
    try:
        return Recipe(**{**content, **(profiles[profile] if profile else {}), **changes})
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {refused_fields(error)}") from error
    except TypeError as error:
        raise ConfigurationError(f"{path}: {one_line(error)}") from error
