"""Colours of the explorer's page, light and dark: contrast by the formula of WCAG 2.2, not by eye."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from groundshift.explore.colors import DARK_PALETTES, PALETTES

TEXT, MARK = 4.5, 3.0  # least contrast of small text, and of lines and marks: success criteria 1.4.3 and 1.4.11
SILENT = ("too few points", "not seen")  # nothing is known there; pale on purpose
THEMES = json.loads((Path(__file__).parents[2] / "web/src/palette.json").read_text())
themes = pytest.mark.parametrize("theme", THEMES)


def luminance(rgb):
    """Relative luminance of sRGB, 0 to 1."""
    rgb = np.asarray(rgb, float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def contrast(first, second):
    """Contrast ratio, 1 to 21."""
    first, second = (luminance(to_rgb(each[:7]) if isinstance(each, str) else each) for each in (first, second))
    return (np.maximum(first, second) + 0.05) / (np.minimum(first, second) + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # the known limit of grey text on white


def test_both_have_the_same_names():
    def names(theme):
        return {group: sorted(of) if isinstance(of, dict) else np.size(of) for group, of in THEMES[theme].items()}

    assert names("light") == names("dark")


@themes
@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("ink", "paper"), ("ink", "field"), ("ink", "accent-soft"), ("quiet", "paper"), ("quiet", "field"),
        ("accent", "paper"), ("accent", "accent-soft"), ("on-accent", "accent"), ("on-tip", "tip"),
    ],
)  # fmt: skip
def test_text_can_be_read(theme, text, below):
    page = THEMES[theme]["page"]
    assert contrast(page[text], page[below]) >= TEXT


@themes
def test_charts_can_be_read(theme):
    colours = THEMES[theme]
    paper = colours["page"]["paper"]
    assert contrast(colours["chart"]["text"], paper) >= TEXT
    assert min(contrast(each, paper) for each in colours["series"]) >= MARK
    assert min(contrast(colours["page"]["on-series"], each) for each in colours["series"]) >= MARK  # letters of pins


def test_what_assets_do_can_be_told_from_a_dark_page():
    colours = THEMES["dark"]
    for group in ("verdicts", "levels"):
        for name, colour in colours[group].items():
            for below in (colours["page"]["paper"], colours["ground"]["land"], colours["lines"]["edge"]):
                assert contrast(colour, below) >= (2.9 if name in SILENT else MARK), (name, below)


@themes
def test_edges_of_points_stand_out_from_level_relief(theme):
    colours = THEMES[theme]
    land, edge = (np.array(to_rgb(each)) for each in (colours["ground"]["land"], colours["points"]["edge"]))
    strength, opacity = colours["points"]["strength"], 0.6  # as the page begins
    level = opacity * colours["relief"] * np.sqrt(0.5) + (1 - opacity) * land
    assert contrast(strength * edge + (1 - strength) * level, level) >= MARK


@themes
@pytest.mark.parametrize("ground", ["land", "sea"])
def test_edges_of_points_and_lines_stand_out_from_the_ground(theme, ground):
    colours = THEMES[theme]
    below = np.array(to_rgb(colours["ground"][ground]))
    strength = colours["points"]["strength"]
    assert contrast(strength * np.array(to_rgb(colours["points"]["edge"])) + (1 - strength) * below, below) >= MARK
    for name in ("stations", "features", "drawn"):
        assert contrast(colours["lines"][name], below) >= MARK


@pytest.mark.parametrize("name", DARK_PALETTES)
def test_every_colour_of_a_scale_stands_out_from_the_dark_ground(name):
    for ground in ("land", "sea"):
        below = np.array(to_rgb(THEMES["dark"]["ground"][ground]))
        assert contrast(DARK_PALETTES[name] / 255, below).min() >= MARK
    assert contrast(to_rgb(THEMES["dark"]["points"]["pale"]), below) >= MARK


@pytest.mark.parametrize("name", DARK_PALETTES)
def test_dark_scales_say_what_the_light_ones_say(name):
    assert list(DARK_PALETTES) == list(PALETTES)
    dark, light = DARK_PALETTES[name] / 255, PALETTES[name] / 255
    if name in ("viridis", "cividis"):  # larger is lighter
        assert (np.diff(luminance(dark)) > -2e-3).all()
        assert luminance(dark[-1]) == pytest.approx(luminance(light[-1]))
        return
    bright = luminance(dark)
    middle = int(bright.argmin())
    assert 100 < middle < 156
    assert (np.diff(bright[: middle + 1]) < 2e-3).all()  # motion, either way, is what stands out
    assert (np.diff(bright[middle:]) > -2e-3).all()
    assert bright[0] == pytest.approx(bright[-1], rel=0.1)  # and no way more than the other
    for scale in (dark, light):  # red is away, down, west in both
        assert scale[20, 0] > scale[20, 2] + 0.2
        assert scale[-20, 2] > scale[-20, 0] + 0.2


@pytest.mark.parametrize("name", ["motion", "red-white-blue"])
def test_the_ends_differ_for_those_who_lack_red_or_green(name):
    ends = DARK_PALETTES[name][[0, -1]] / 255
    linear = np.where(ends <= 0.04045, ends / 12.92, ((ends + 0.055) / 1.055) ** 2.4)
    # Viénot, Brettel and Mollon, 1999, table 1 in sRGB: protanopes and deuteranopes see one value of red and green
    for red_green in ((0.11238, 0.88762), (0.29275, 0.70725)):
        yellow = linear[:, :2] @ red_green
        (first, last), (blue_first, blue_last) = yellow, linear[:, 2]
        assert blue_last / last > 1.8 * blue_first / first
