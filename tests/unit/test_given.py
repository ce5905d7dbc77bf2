"""Options from a file and from a command line: which one wins, and what is left as it was."""

import json

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundshift.errors import ConfigurationError
from groundshift.insar.basic_config import BasicConfig
from groundshift.io.given import options_from


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: int = Field(1, gt=0)
    second: int = 2


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner = Inner()
    other: int = 3


def test_what_is_given_wins_and_leaves_the_rest(tmp_path):
    path = tmp_path / "options.json"
    path.write_text(json.dumps({"inner": {"first": 10, "second": 20}, "other": 30}))
    found = options_from(Outer, path, inner={"first": 100, "second": None}, other=None)
    assert found == Outer(inner=Inner(first=100, second=20), other=30)
    assert options_from(Outer, path, inner={"first": None}) == options_from(Outer, path)
    assert options_from(Outer, inner={"second": 7}) == Outer(inner=Inner(second=7))
    assert options_from(Outer, inner={"second": None}) == Outer()


@pytest.mark.parametrize("inner", [5, {"third": 1}, {"first": 0}])
def test_what_a_file_has_wrong_is_not_lost_under_what_is_given(inner, tmp_path):
    path = tmp_path / "options.json"
    path.write_text(json.dumps({"inner": inner}))
    with pytest.raises(ValidationError):
        options_from(Outer, path, inner={"second": None})


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.json cannot be read as JSON"):
        options_from(Outer, tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ConfigurationError, match="holds a list"):
        options_from(Outer, tmp_path / "list.json")


def test_a_part_of_the_options_of_basic_leaves_its_own_defaults(tmp_path):
    """Those of linking and of candidates are others than where each is used alone."""
    path = tmp_path / "options.json"
    path.write_text(json.dumps({"distributed": {"link": {"test": "ks"}}, "candidates": {"side_lobe_margin": 3}}))
    found, default = options_from(BasicConfig, path), BasicConfig()
    assert found.distributed is not None
    assert default.distributed is not None
    link = default.distributed.link.model_copy(update={"test": "ks"})
    candidates = default.candidates.model_copy(update={"side_lobe_margin": 3.0})
    assert found == default.model_copy(
        update={"distributed": default.distributed.model_copy(update={"link": link}), "candidates": candidates}
    )
    assert BasicConfig.model_validate(default.model_dump(mode="json")) == default
