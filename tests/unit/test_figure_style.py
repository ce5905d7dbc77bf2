"""One convention of colours: red is negative, blue positive, in figures and on the map."""

from __future__ import annotations

import numpy as np
import pytest

from groundshift.explore.colors import PALETTES
from groundshift.figures.style import COHERENCE_BINS, DIVERGING, WAYS, signed_label
from groundshift.model.points import TOWARD


@pytest.mark.parametrize("name", ["motion", "red-white-blue"])
def test_negative_is_red_and_positive_blue_on_the_map(name):
    for low in (0, 40):
        red, _, blue = PALETTES[name][low].astype(int)
        assert red > 1.5 * blue
        red, _, blue = PALETTES[name][255 - low].astype(int)
        assert blue > 1.5 * red


def test_figures_and_the_map_turn_the_same_way():
    red, _, blue, _ = DIVERGING(0.1)
    assert red > 2 * blue
    red, _, blue, _ = DIVERGING(0.9)
    assert blue > 2 * red


def test_lightness_falls_evenly_to_both_sides_so_that_grey_prints_and_colour_blind_eyes_read_the_size():
    weights = (0.2126, 0.7152, 0.0722)  # luminance, ITU-R BT.709

    def luminance(share: float) -> float:
        return sum(w * c for w, c in zip(weights, DIVERGING(share), strict=False))

    for share in (0.0, 0.1, 0.2, 0.3, 0.4):
        assert luminance(share) == pytest.approx(luminance(1 - share), abs=0.08)
        assert luminance(share) < luminance(share + 0.1)


def test_a_bar_says_its_sign_in_words():
    assert signed_label("mm/yr", "up") == "← down   mm/yr   up →"
    assert signed_label("mm/yr", "toward the satellite").startswith("← away from")
    assert set(TOWARD.values()) <= set(WAYS)
    with pytest.raises(KeyError):
        signed_label("mm/yr", "sideways")


def test_coherence_of_two_decimals_makes_no_comb():
    hundredths = np.repeat(np.arange(101), 7) / 100
    for values in (hundredths, hundredths.astype(np.float32)):
        counts, _ = np.histogram(values, COHERENCE_BINS)
        assert counts.sum() == len(values)
        assert set(counts[:50]) == {14}
