"""Real Sentinel-2 and Landsat-8 crops open as they are."""

from pathlib import Path

import numpy as np
import pytest

from groundshift.grid.common import common_grid, lattice_shift
from groundshift.grid.tiles import Box
from groundshift.io import AlignedImage, open_image
from groundshift.model.reason import Reason

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning"),
    pytest.mark.skipif(not DATA.is_dir(), reason="needs a folder of shared data beside the checkout"),
]


def test_sentinel2_berlin():
    folder = DATA / "s2_berlin_native10m"
    pre, post = (open_image(path) for path in sorted(folder.glob("*.tif")))
    assert (pre.date, post.date) == (np.datetime64("2016-05-29"), np.datetime64("2016-06-08"))
    assert common_grid(pre.grid, post.grid) == (pre.grid, ())
    values, reason = pre.read(Box(1000, 200, 1512, 712))
    assert (reason == Reason.VALID).mean() > 0.9
    assert np.isfinite(values[reason == 0]).all()


def test_landsat8_yahtse():
    folder = DATA / "l8_yahtse_glacier"
    pre, post = (open_image(path) for path in sorted(folder.glob("LC8*.TIF")))
    assert post.date - pre.date == np.timedelta64(16, "D")
    grid, _ = common_grid(pre.grid, post.grid)
    assert (grid.crs, grid.resolution.x) == ("EPSG:32607", 15)
    assert lattice_shift(pre.grid, grid) is not None
    assert AlignedImage(post, grid).read(Box(0, 0, 64, 64)).values.shape == (64, 64)


def test_orthophotos_kaiserberg():
    images = [open_image(path) for path in sorted((DATA / "ortho1m_kaiserberg_rockglacier").glob("*.tif"))]
    grid, log = common_grid(images[2].grid, images[3].grid)
    assert grid == images[2].grid
    assert log == ()
