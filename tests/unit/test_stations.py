"""Station records: what is built is checked, and what breaks a rule is named."""

from dataclasses import replace

import numpy as np
import pytest

from groundshift.errors import ContractError
from groundshift.model.stations import build_series, build_velocities, check_series, check_velocities, describe

SIGMA = np.full((2, 3), 0.5)
VELOCITY = np.array([[1.0, 2.0, 3.0], [np.nan, np.nan, -1.0]])


def velocities(**changes):
    values = {"name": ["A", "B"], "latitude": [46.0, 47.0], "longitude": [8.0, 359.0], "velocity": VELOCITY}
    options = {"frame": "ITRF2020", "source": "test", "sigma": SIGMA, "epoch": "2015-01-01"}
    both = {**values, **options, **changes}
    return build_velocities(*[both.pop(each) for each in values], **both)


def series(**changes):
    both = {
        "name": "A", "latitude": 46.0, "longitude": 8.0, "days": ["2020-01-01", "2020-01-03"],
        "displacement": np.zeros((2, 3)), "sigma": np.ones((2, 3)), "frame": "IGS14", "source": "test",
    } | changes  # fmt: skip
    first = ("name", "latitude", "longitude", "days", "displacement", "sigma")
    return build_series(*[both.pop(each) for each in first], **both)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ["A", "A"]}, "'A' is there twice"),
        ({"latitude": [46.0, 97.0]}, "'B' lies at latitude 97"),
        ({"longitude": [46.0]}, "sizes differ"),
        ({"velocity": np.full((2, 3), np.nan)}, "has no velocity"),
        ({"sigma": SIGMA * [1, 1, 0]}, "not positive definite"),
        ({"sigma": -SIGMA}, "above 0"),
        ({"sigma": None}, "both or none"),
        ({"frame": " "}, "frame is ' '"),
        ({"sigma": None, "covariance": np.tile([[1, 2, 0], [2, 1, 0], [0, 0, 1.0]], (2, 1, 1))}, "'A' is not positive"),
    ],
)
def test_broken_velocities_are_refused(changes, said):
    with pytest.raises(ContractError, match=said):
        velocities(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days": ["2020-01-03", "2020-01-01"]}, "increasing"),
        ({"days": ["2020-01-03"]}, "sizes differ"),
        ({"sigma": np.zeros((2, 3))}, "above 0"),
        ({"displacement": np.full((2, 3), np.nan)}, "NaN where not"),
        ({"source": ""}, "source is ''"),
    ],
)
def test_broken_series_are_refused(changes, said):
    with pytest.raises(ContractError, match=said):
        series(**changes)


def test_checks_take_a_record_that_was_changed():
    check_velocities(velocities())
    check_series(series())
    assert "2 days from 2020-01-01" in describe(series())
    bent = velocities().covariance.copy()
    bent[0, 0, 1] = 0.1
    with pytest.raises(ContractError, match="not symmetric"):
        check_velocities(replace(velocities(), covariance=bent))
