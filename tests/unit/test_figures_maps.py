"""Pictures of displacement maps."""

import numpy as np
from affine import Affine
from matplotlib.quiver import Quiver
from odc.geo.geobox import GeoBox

from groundshift.figures.quicklook import quicklook
from groundshift.model.displacement import REQUIRED_ATTRIBUTES, displacement_map


def test_arrows_of_a_narrow_map_lie_on_it():
    shape = (8, 600)
    layers = {name: np.full(shape, 1.0, np.float32) for name in ("east", "north", "quality")}
    layers |= {f"{name}_sigma": np.full(shape, 0.1, np.float32) for name in ("east", "north")}
    grid = GeoBox(shape, Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
    layers["reason"] = np.zeros(shape, np.uint8)
    figure = quicklook(displacement_map(layers, grid, dict.fromkeys(REQUIRED_ATTRIBUTES, "")))
    (arrows,) = (each for axes in figure.axes for each in axes.collections if isinstance(each, Quiver))
    x, y = arrows.XY.T
    assert ((x > 500_000) & (x < 506_000)).all()
    assert ((y > 3_999_920) & (y < 4_000_000)).all()
