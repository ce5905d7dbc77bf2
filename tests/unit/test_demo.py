"""The pair of the demo is what it says."""

import numpy as np
import pytest
from scipy import ndimage

from groundshift.demo.earthquake import run_earthquake
from groundshift.errors import ConfigurationError
from groundshift.synth.demo import demo_pair


@pytest.fixture(scope="module")
def pair():
    return demo_pair(seed=2, size=256)


def test_images_too_small_for_windows_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigurationError, match=r"images of 192 pixels are too small .* frequency .* 256 or more"):
        run_earthquake(tmp_path / "out", method="frequency", size=192)
    assert not (tmp_path / "out").exists()


def test_the_same_seed_gives_the_same_pair(pair):
    again, other = demo_pair(seed=2, size=256), demo_pair(seed=3, size=256)
    for name in ("pre", "post", "east", "north", "distance", "trace"):
        np.testing.assert_array_equal(getattr(pair, name), getattr(again, name))
    assert (pair.pre != other.pre).mean() > 0.9
    assert not np.array_equal(pair.trace, other.trace)


def test_the_second_image_is_the_first_where_the_ground_went(pair):
    """The misregistration is in the images alone."""
    rows, cols = np.indices(pair.pre.shape, dtype=float)
    inner = (pair.distance > 4) & (np.minimum(rows, rows[::-1]) > 8) & (np.minimum(cols, cols[:, ::-1]) > 8)
    alike = []
    for shift_x, shift_y in ((0.35, -0.2), (0.0, 0.0), (-0.35, 0.2)):
        at = rows - pair.north / 10 + shift_y, cols + pair.east / 10 + shift_x
        there = ndimage.map_coordinates(pair.post.astype(float), at, order=3)
        alike.append(np.corrcoef(there[inner], pair.pre[inner].astype(float))[0, 1])
    assert alike[0] > alike[1] + 0.01 > alike[2] + 0.02


def test_slip_is_right_lateral_and_ends_with_the_trace(pair):
    col, row = ~pair.grid.affine @ pair.trace.T
    inside = (row > 0) & (row < 256) & (col > 0) & (col < 256)
    assert pair.distance[row[inside].astype(int), col[inside].astype(int)].max() < 1
    start, end = pair.trace[[0, -1]]
    unit = (end - start) / np.hypot(*(end - start))
    x, y = pair.grid.affine @ (np.indices(pair.pre.shape)[::-1] + 0.5)
    along = ((x - start[0]) * unit[0] + (y - start[1]) * unit[1]) / np.hypot(*(end - start))
    right = (x - start[0]) * unit[1] - (y - start[1]) * unit[0] > 0
    moved = pair.east * unit[0] + pair.north * unit[1]
    beside = (pair.distance > 3) & (pair.distance < 6)

    def offset(place):
        here = beside & (np.abs(along - place) < 0.05)
        return moved[here & ~right].mean() - moved[here & right].mean()  # from one side, the other goes to the right

    assert offset(0.5) == pytest.approx(12 * np.cos(np.radians(10)), rel=0.08)
    assert 1 < offset(0.05) < 7
