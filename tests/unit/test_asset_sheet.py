"""The sentence of an asset's page."""

import pytest

from groundshift.products.assets.sheet import _said
from groundshift.products.assets.spans import MOVING, STILL

BRIDGE = {"level": "alert", "reasons": "change", "change_where": "segment", "change_along": 130.0,
          "change_date": "2024-09-20"}  # fmt: skip


def segment(verdict, said):
    return {"span": "", "segment": 1, "segments": 2, "from": 0.0, "to": 50.0, "verdict": verdict, "said": said,
            "motion": -4.0, "motion_bound": 1.2}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Alert for its change at 130 m on 2024-09-20; 2 of 2 segments do not move by more than 1.2 mm/yr"),
        ({"reasons": "", "level": "none"}, "2 of 2 segments do not move by more than 1.2 mm/yr"),
        ({"reasons": "velocity change", "change_where": "whole"},
         "Alert for its velocity and change on 2024-09-20; 2 of 2 segments do not move by more than 1.2 mm/yr"),
    ],
)  # fmt: skip
def test_where_no_segment_moves_the_reason_of_the_level_is_said(changes, expected):
    assert _said([segment(STILL, "")] * 2, {**BRIDGE, **changes}) == expected


def test_where_a_segment_moves_that_is_said():
    moving = next(iter(MOVING))
    text = _said([segment(moving, "sinks by 4.0 ± 0.5 mm/yr"), segment(STILL, "")], BRIDGE)
    assert "sinks by 4.0 ± 0.5 mm/yr" in text
    assert "Alert" not in text
