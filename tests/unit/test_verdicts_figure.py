"""The picture of numbers against what is asked of them."""

import numpy as np
import pytest

from groundshift.figures.verdicts import share_of_allowed, verdicts_figure
from groundshift.validate.record import Check, Number, Requirement


@pytest.mark.parametrize(
    ("value", "low", "high", "share"),
    [
        (0.35, -np.inf, 0.7, 0.5),
        (1.4, -np.inf, 0.7, 2),
        (2000, 1000, np.inf, 0.5),
        (500, 1000, np.inf, 2),
        (0, 1000, np.inf, np.inf),
        (1.25, 0.8, 1.25, 1),
        (0.8, 0.8, 1.25, 1),
        (1, 0.8, 1.25, 0.8),
    ],
)
def test_a_number_at_its_limit_uses_all_of_what_is_allowed(value, low, high, share):
    assert share_of_allowed(value, Requirement(low, high, "")) == pytest.approx(share)


def test_numbers_with_a_requirement_are_drawn_with_their_verdicts():
    asked = Requirement.at_most(0.7, "someone")
    numbers = [
        Number("good", 0.3, 0.2, 0.4, "mm/yr", 9, "", asked),
        Number("free", 9.0, 8.0, 10.0, "mm/yr", 9, ""),
        Number("bad", 70.0, 60.0, 80.0, "mm/yr", 9, "", asked),
        Number("between", 0.7, 0.5, 0.9, "mm/yr", 9, "", asked),
    ]
    (panel,) = verdicts_figure([Check("a", "Stations", "", tuple(numbers))]).axes
    assert [each.get_text() for each in panel.get_yticklabels()] == [
        "Stations\ngood: 0.3 mm/yr", "Stations\nbad: 70 mm/yr", "Stations\nbetween: 0.7 mm/yr",
    ]  # fmt: skip
    assert [each.get_text() for each in panel.texts] == ["pass", "fail", "undecided"]
    bars = [line.get_xdata() for line in panel.lines if line.get_linewidth() == 4]
    np.testing.assert_allclose(bars[0], [0.2 / 0.7, 0.4 / 0.7])
    np.testing.assert_allclose(bars[1], [2.5, 2.5])  # at the end of the axis
    assert bars[2][0] < 1 < bars[2][1]


def test_nothing_asked_is_an_empty_picture():
    assert len(verdicts_figure([]).axes[0].lines) == 1  # the limit
