"""What configurations refuse, said in one line."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from groundshift.errors import refused_fields


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    max_velocity: float = Field(30.0, gt=0)
    crs: str = "EPSG:3035"

    @field_validator("crs")
    @classmethod
    def known(cls, text):
        if text != "EPSG:3035":
            raise ValueError("EPSG:3035 is\nexpected")
        return text


class Outer(BaseModel):
    inner: Inner = Inner()
    many: list[int] = []
    needed: int = 0


def refused(**given):
    with pytest.raises(ValidationError) as caught:
        Outer(**given)
    return caught.value


def test_fields_are_named_by_their_path_or_as_options():
    error = refused(inner={"max_velocity": -1})
    assert refused_fields(error) == "inner.max_velocity -1: input should be greater than 0"
    assert refused_fields(error, as_options=True) == "--max-velocity -1: input should be greater than 0"
    error = refused(inner={"crs": "x", "speed": 3})
    assert refused_fields(error) == "inner.crs x: EPSG:3035 is expected; inner.speed 3: extra inputs are not permitted"


def test_a_long_value_is_left_out_and_many_fields_are_counted():
    said = refused_fields(refused(many=["x" * 500, *"abcdefg"]))
    assert said.startswith("many.0: input should be a valid integer")
    assert said.endswith("; and 3 more")
    assert said.count("many.") == 5
    assert "--many abc: input" in refused_fields(refused(many=["abc"]), as_options=True)


def test_a_mapping_that_lacks_a_field_is_not_shown():
    class Needing(BaseModel):
        days: int

    with pytest.raises(ValidationError) as caught:
        Needing.model_validate({})
    assert refused_fields(caught.value) == "days: field required"
