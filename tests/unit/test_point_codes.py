"""Codes of points: the known answers of the product description, and what does not fit."""

import numpy as np
import pytest

from groundshift.errors import InputError
from groundshift.kernels.point_codes import (
    Burst,
    base62,
    burst_cycle,
    cell_codes,
    cell_places,
    esa_burst,
    point_codes,
    point_places,
)

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def decoded(text):
    return sum(ALPHABET.index(letter) * 62**place for place, letter in enumerate(reversed(text)))


@pytest.mark.parametrize(
    ("burst", "producer", "line", "pixel", "code"),
    [
        (Burst(88, 282, "IW2", "VV"), "NORCE", 1234, 12345, "3ODTn5TNYv"),
        (Burst(22, 845, "IW2", "VV"), "EGEOS", 1217, 4670, "166ax5Ofja"),
    ],
)
def test_known_answers(burst, producer, line, pixel, code):
    assert point_codes(np.array([line]), np.array([pixel]), burst, producer=producer).tolist() == [code]
    places = point_places(np.array([code]))
    assert (places.producers[0], places.bursts, places.lines[0], places.pixels[0]) == (producer, [burst], line, pixel)


def test_each_point_of_a_burst_has_its_own_code():
    lines, pixels = (each.ravel() for each in np.meshgrid([0, 1, 2047], [0, 7, 65535], indexing="ij"))
    codes = point_codes(lines, pixels, Burst(175, 4095, "IW3", "VV"))
    assert [decoded(code[5:]) for code in codes] == (lines * 65536 + pixels).tolist()
    assert {code[:5] for code in codes} == {codes[0][:5]}
    assert codes[0][0] == "0"
    assert codes[0][5:] == "00000"


def test_cells_of_a_grid():
    seen = cell_codes(np.array([4597550, 4597650]), np.array([1739750, 1739750]), producer="EGEOS")
    assert seen.tolist() == ["10LDTjEkDv", "10LDTjEkDw"]  # of the tile E45N17, 2020 to 2024
    codes = cell_codes(np.array([4521050.0, 4521149.9]), np.array([1712350.0, 1712300.0]), producer="TREA")
    assert [code[0] for code in codes] == ["4", "4"]
    assert [decoded(code[1:]) for code in codes] == [17123 * 2**32 + 45210, 17123 * 2**32 + 45211]


def test_what_does_not_fit_is_refused():
    burst = Burst(15, 1, "IW1", "VV")
    with pytest.raises(InputError, match="lines 0 to 2048"):
        point_codes(np.array([0, 2048]), np.array([0, 1]), burst)
    with pytest.raises(InputError, match="pixels -1"):
        point_codes(np.array([0]), np.array([-1]), burst)
    with pytest.raises(InputError, match="no burst"):
        point_codes(np.array([0]), np.array([0]), burst._replace(swath="EW1"))
    with pytest.raises(InputError, match="producer 'us'"):
        point_codes(np.array([0]), np.array([0]), burst, producer="us")
    with pytest.raises(InputError, match="do not fit 1 characters"):
        base62(np.array([62]), 1)
    with pytest.raises(InputError, match="negative"):
        cell_codes(np.array([-5.0]), np.array([1.0]))


def test_codes_of_many_points_say_where_they_are():
    random = np.random.default_rng(0)
    lines, pixels = random.integers(0, 2048, 500), random.integers(0, 65536, 500)
    burst = Burst(175, 4095, "IW1", "HV")
    places = point_places(point_codes(lines, pixels, burst, producer="TREA"))
    np.testing.assert_array_equal(places.lines, lines)
    np.testing.assert_array_equal(places.pixels, pixels)
    assert set(places.bursts) == {burst}
    east, north = random.uniform(0, 7.5e6, 500), random.uniform(0, 5.5e6, 500)
    producers, left, bottom = cell_places(cell_codes(east, north, producer="GAF"))
    assert set(producers) == {"GAF"}
    np.testing.assert_array_equal(left, east // 100 * 100)
    np.testing.assert_array_equal(bottom, north // 100 * 100)


@pytest.mark.parametrize(
    ("code", "message"),
    [("3ODTn5TNY", "10 characters"), ("3ODTn5TNY-", "is no code"), ("3ODTn5TNYé", "is no code"),
     ("9ODTn5TNYv", "starts with 9"), ("3zzzz5TNYv", "names say"), ("3ODTnzzzzz", "names say")],
)  # fmt: skip
def test_names_that_are_no_codes_are_refused(code, message):
    with pytest.raises(InputError, match=message):
        point_places(np.array([code]))


def test_the_burst_of_the_product_description_has_its_number():
    middle = 775.1918283259 + 1508 * 0.0020555563 / 2
    assert esa_burst(87 * 12 * 86400 / 175 + middle) == 187151
    assert burst_cycle(88, middle) == 282
    assert burst_cycle(1, 2.298687 + 0.5 * 2.758273) == 1
