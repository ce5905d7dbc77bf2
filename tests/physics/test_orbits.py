"""Orbits: places, ranges, baselines and phase against a round orbit about which all is known."""

import numpy as np
import pytest

from groundshift.errors import InputError
from groundshift.io.stacks.orbits import (
    Nodes,
    Orbit,
    Timing,
    earth_fixed,
    look_vectors,
    perpendicular_baseline,
    range_model,
)

RADIUS, RATE = 7.07e6, 1.06e-3  # m, radians a second


def orbit(*, lift=0.0, aside=0.0, seconds=None):
    """A round path over the Greenwich meridian, northward; `lift` m higher and `aside` m to the west."""
    seconds = np.arange(-60.0, 61, 10) if seconds is None else seconds
    angle = RATE * seconds
    position = (RADIUS + lift) * np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)], axis=1)
    velocity = (RADIUS + lift) * RATE * np.stack([-np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=1)
    return Orbit(seconds, position - [0, aside, 0], velocity)


def nodes(rough=0.0, random=None):
    """Pixels east of the path, whose lines and pixels are of equal steps in time and range."""
    rows, columns = np.arange(0, 1500, 150), np.arange(0, 20_000, 2000)
    seconds, ranges = np.meshgrid(rows * 0.002 - 1.5, 850e3 + 2.3 * columns, indexing="ij")
    height = np.full(rows.shape + columns.shape, 400.0)
    if random is not None:
        height += rough * random.standard_normal(height.shape)
    start = np.broadcast_to(earth_fixed(np.array([0.0]), np.array([5.0]), np.array([0.0])), (height.size, 3))
    places = orbit().place(seconds.ravel(), ranges.ravel(), height.ravel(), start)
    x, y, z = places.T
    longitude = np.degrees(np.arctan2(y, x))
    # latitude on the ellipsoid by iteration
    e2, level = 1 - (6356752.314245179 / 6378137.0) ** 2, np.hypot(x, y)
    latitude = np.arctan2(z, level * (1 - e2))
    for _ in range(10):
        normal = 6378137.0 / np.sqrt(1 - e2 * np.sin(latitude) ** 2)
        latitude = np.arctan2(z + e2 * normal * np.sin(latitude), level)
    shaped = (each.reshape(height.shape) for each in (np.degrees(latitude), longitude, height))
    return Nodes(rows, columns, *shaped, shape=(1500, 20_000))


def test_lines_of_swaths_that_begin_and_end_apart_have_a_direction():
    """Joined swaths: no column is known from the first line to the last."""
    whole = nodes()
    latitude = whole.latitude.copy()
    latitude[:3, :5] = latitude[-3:, 5:] = np.nan
    part = whole._replace(latitude=latitude)
    assert part.heading == pytest.approx(whole.heading, abs=0.01)
    assert part.line_spacing == pytest.approx(whole.line_spacing, rel=1e-4)
    assert part.direction == whole.direction == "ascending"
    assert np.isnan(whole._replace(latitude=np.full_like(latitude, np.nan)).line_spacing)


def test_a_place_is_seen_when_the_line_to_it_is_across_the_path():
    place = earth_fixed(np.array([0.3]), np.array([6.0]), np.array([200.0]))
    seen = orbit().sight(place)
    # in the plane of the path the place has the angle arctan(z / x); the satellite is there at that angle
    assert seen.seconds[0] == pytest.approx(np.arctan2(place[0, 2], place[0, 0]) / RATE, abs=1e-9)
    angle = RATE * seen.seconds[0]
    expected = np.linalg.norm(place[0] - RADIUS * np.array([np.cos(angle), 0, np.sin(angle)]))
    assert seen.slant_range[0] == pytest.approx(expected, abs=1e-5)


def test_place_is_the_inverse_of_sight():
    grid = nodes(300.0, np.random.default_rng(3))
    seen = orbit().sight(grid.places)
    back = orbit().place(seen.seconds, seen.slant_range, grid.height.ravel(), np.broadcast_to(grid.middle, (100, 3)))
    assert np.abs(back - grid.places).max() < 0.01  # the surface of equal height is not quite an ellipsoid


def test_look_vectors_point_up_and_back_to_the_path():
    place = earth_fixed(np.array([0.0]), np.array([5.0]), np.array([0.0]))
    seen = orbit().sight(place)
    east, north, up = look_vectors(place, seen.position)[:, 0]
    assert east < -0.3
    assert abs(north) < 1e-6
    assert up > 0.5
    assert np.linalg.norm([east, north, up]) == pytest.approx(1)


@pytest.mark.parametrize(("lift", "aside"), [(-120.0, 0.0), (40.0, 90.0), (0.0, -150.0)])
def test_baseline_is_what_the_range_of_higher_ground_grows_by(lift, aside):
    grid, first, second = nodes(), orbit(), orbit(lift=lift, aside=aside)
    place, look = grid.middle[None], look_vectors(grid.middle[None], orbit().sight(grid.middle[None]).position)
    seen, rise = first.sight(place), 10.0
    higher = first.place(seen.seconds, seen.slant_range, np.array([400.0 + rise]), place)
    grown = (second.sight(higher).slant_range - first.sight(higher).slant_range) - (
        second.sight(place).slant_range - seen.slant_range
    )
    sine = np.sqrt(1 - look[2, 0] ** 2)
    expected = perpendicular_baseline(first, second, grid.middle) / (seen.slant_range[0] * sine) * rise
    assert grown[0] == pytest.approx(expected, rel=2e-3)


def test_a_satellite_farther_to_the_side_and_lower_has_a_positive_baseline():
    grid = nodes()
    assert perpendicular_baseline(orbit(), orbit(aside=100.0), grid.middle) > 50  # west of the path, places are east
    assert perpendicular_baseline(orbit(), orbit(lift=-100.0), grid.middle) > 50
    assert perpendicular_baseline(orbit(), orbit(), grid.middle) == pytest.approx(0, abs=1e-6)


def test_model_of_ranges_agrees_with_ranges_at_places_in_between():
    random = np.random.default_rng(5)
    grid = nodes(300.0, random)
    others = [orbit(), orbit(lift=-80.0, aside=60.0), orbit(lift=120.0, aside=-30.0)]
    model = range_model(others[0], others, grid)
    assert model.error < 1e-4
    rows, columns = np.array([75.0, 700.0, 1333.0]), np.array([123.0, 9999.0, 17_001.0])
    height = random.uniform(0, 900, (3, 3))
    seconds, ranges = np.meshgrid(rows * 0.002 - 1.5, 850e3 + 2.3 * columns, indexing="ij")
    places = others[0].place(seconds.ravel(), ranges.ravel(), height.ravel(), np.broadcast_to(grid.middle, (9, 3)))
    for date, each in enumerate(others):
        expected = each.sight(places).slant_range - others[0].sight(places).slant_range
        assert np.abs(model.at(date, rows, columns, height).ravel() - expected).max() < 2e-4


def test_errors_of_places_do_no_harm_where_the_timing_is_known():
    right, timing = nodes(), Timing(-1.5, 0.002, 850e3, 2.3)
    wrong = right._replace(latitude=right.latitude + 3e-4, longitude=right.longitude - 5e-4)  # 50 m
    others = [orbit(), orbit(lift=-80.0, aside=60.0)]
    at = np.array([10.0, 800.0]), np.array([100.0, 15_000.0]), np.array([[300.0, 400.0], [500.0, 450.0]])
    exact = range_model(others[0], others, right).at(1, *at)
    assert range_model(others[0], others, wrong, timing=timing).at(1, *at) == pytest.approx(exact, abs=2e-4)
    assert np.abs(range_model(others[0], others, wrong).at(1, *at) - exact).max() > 1e-3


def test_orbits_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="four"):
        orbit(seconds=np.arange(0.0, 30, 10))
    short = orbit(seconds=np.arange(20.0, 81, 10))
    with pytest.raises(InputError, match="outside the orbit"):
        short.sight(earth_fixed(np.array([0.0]), np.array([5.0]), np.array([0.0])))
