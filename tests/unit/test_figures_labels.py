"""Labels of figures: whole, apart from each other, and with what is known of the numbers in them."""

import re

import numpy as np
from reference.explorer import DATES, village

from groundshift.figures.ortho import Example as Cell
from groundshift.figures.ortho import ortho_figure
from groundshift.figures.points import points_figure
from groundshift.figures.samples import Example, examples_figure


def test_the_velocities_of_examples_of_points_have_their_sigmas():
    figure = points_figure(village(200))
    titles = [panel.get_title(loc="left") for panel in figure.findobj(lambda each: hasattr(each, "get_title"))]
    said = [title for title in titles if title.endswith("mm/yr")]
    assert [title.split(":")[0] for title in said] == ["lowest", "highest", "season", "median"]
    assert all("± 0.2 mm/yr" in title for title in said)
    assert "−" in said[0]
    assert not any(", -" in title for title in said)


def test_the_bar_of_a_sample_has_its_ends_and_its_middle_and_its_sign():
    rng = np.random.default_rng(0)
    image = rng.uniform(size=(20, 20))
    flow = np.stack([1.8 * rng.uniform(-1, 1, (20, 20)), 0.2 * rng.uniform(-1, 1, (20, 20))])
    figure = examples_figure([Example("one", image, image, flow, np.ones((20, 20), bool))])
    bars = [panel for panel in figure.axes if panel.get_ylabel()[:1] == "←"]
    assert [bar.get_ylabel().split()[1] for bar in bars] == ["left", "up"]
    assert [list(bar.get_yticks()) for bar in bars] == [[-2, 0, 2]] * 2  # one scale for both


def test_the_dates_below_series_of_ortho_are_years_and_months():
    place = np.arange(10) * 100.0
    velocity = np.linspace(-1, 1, 10)
    cell = Cell("00LEgjsfL3", -1.0, np.zeros((2, len(DATES))), DATES)
    examples = dict.fromkeys(("least east", "most east", "least up", "most up"), cell)
    figure = ortho_figure("E45N17", place, place, (velocity, velocity), examples)
    figure.canvas.draw()
    series = [panel for panel in figure.axes if ":" in panel.get_title() and "velocity" not in panel.get_title()]
    assert len(series) == 4
    for panel in series:
        left, right = panel.get_xlim()
        ticks = [tick for tick in panel.xaxis.get_major_ticks() if left <= tick.get_loc() <= right]
        said = [tick.label1.get_text() for tick in ticks]
        assert 2 <= len(said) <= 5
        assert all(re.fullmatch(r"20\d\d|[A-Z][a-z]{2}", text) for text in said)
