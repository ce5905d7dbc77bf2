"""Pictures of displacement maps, and pages of assets."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from affine import Affine
from matplotlib.quiver import Quiver
from odc.geo.geobox import GeoBox
from pyproj import CRS

from groundshift.figures.assets import Curve, Segment, SheetContent, overview_figure, sheet_figure
from groundshift.figures.quicklook import quicklook
from groundshift.io.features import Features
from groundshift.model.displacement import REQUIRED_ATTRIBUTES, describe, displacement_map


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


def map_of(east, sigma, **attributes):
    grid = GeoBox(east.shape, Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
    layers = {"east": east, "north": np.zeros_like(east), "quality": np.ones_like(east)}
    layers |= {"east_sigma": sigma, "north_sigma": sigma}
    layers = {name: values.astype(np.float32) for name, values in layers.items()}
    layers["reason"] = np.zeros(east.shape, np.uint8)
    return displacement_map(layers, grid, dict.fromkeys(REQUIRED_ATTRIBUTES, "") | attributes)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"date_pre": "2003-09-01", "date_post": "2023-08-20"}, "from 2003-09-01 to 2023-08-20"),
        ({"source_pre": "2003.tif", "source_post": "2023.tif"}, "from 2003.tif to 2023.tif"),
        ({"source_pre": "2003.tif", "date_post": "2023-08-20", "source_post": "b.tif"}, "from 2003.tif to 2023-08-20"),
        ({"source_pre": "x" * 99, "source_post": "b.tif"}, f"from {'x' * 39}… to b.tif"),
        ({"source_pre": "array", "source_post": "array"}, "from unknown date to unknown date"),
        ({}, "from unknown date to unknown date"),
    ],
)
def test_an_image_whose_day_is_not_known_goes_by_its_name(said, expected):
    figure = quicklook(map_of(np.ones((20, 20)), np.ones((20, 20)), **said))
    assert expected in figure.get_suptitle()
    assert expected in describe(map_of(np.ones((20, 20)), np.ones((20, 20)), **said))


@pytest.mark.parametrize(("fast", "sigma", "reach"), [(0.2, 1.0, 20.0), (0.02, 1.0, 0.05), (0.2, 4.0, 0.05)])
def test_colours_reach_fast_ground_but_not_noise(fast, sigma, reach):
    east, error = np.full((100, 100), 0.04), np.full((100, 100), 0.1)
    east[: int(100 * fast)], error[: int(100 * fast)] = 12.0, sigma
    figure = quicklook(map_of(east, error))
    image = figure.axes[0].images[0]
    assert image.get_clim() == (-reach, reach)


def segment(number, verdict, motion, direction):
    said = f"does not move by more than {abs(motion):.1f} mm/yr" if verdict == "does not move" else verdict
    line = shapely.LineString([(50 * number, 0), (50 * number + 50, 0)])
    name = f"segment {number} of 161, {50 * number}–{50 * number + 50} m"
    return Segment(name, 50 * number, 50 * number + 50, line, motion, 0.3, verdict, said, direction)


def test_segments_that_move_are_listed_first_and_names_stay_clear_of_what_is_said():
    segments = [segment(100 + k, "does not move", 0.1, 0) for k in range(5)]
    segments += [segment(120, "too few points", np.nan, 0), segment(130, "unclear", -1.0, 0)]
    segments += [segment(140, "moves away", -3.0, -1), segment(150, "moves away", -6.0, -1)]
    days = np.datetime64("2020-01-01") + 12 * np.arange(5)
    curve = Curve("Whole asset", days, np.zeros(5), np.zeros(5), None)
    content = SheetContent(
        identity="1", title="Küstenbahn", subtitle="railway 1", level="alert", facts=[("velocity", "", "1", "1")],
        geometry=shapely.LineString([(0, 0), (8000, 0)]), positions=np.zeros((0, 2)), velocity=np.zeros(0),
        mine=np.zeros(0, bool), along=np.zeros(0), own_velocity=np.zeros(0), own_sigma=np.zeros(0), segments=segments,
        said="", distortion=np.zeros((0, 3)), limits=(0.1, 0.5, 1.0), curves=[curve],
        measures="toward the satellite", note=["small print " * 20],
    )  # fmt: skip
    figure = sheet_figure(content)
    figure.draw_without_rendering()
    (listed,) = (each for each in figure.axes if any("more in segments" in text.get_text() for text in each.texts))
    names, said = listed.texts[0:10:2], listed.texts[1:10:2]
    assert [text.get_text().split(",")[0] for text in names] == [
        f"segment {k} of 161" for k in (150, 140, 130, 100, 101)
    ]
    (note,) = (text for text in figure.texts if text.get_text().startswith("small print"))
    assert note.get_window_extent().x1 < figure.bbox.x1
    for left, right in zip(names, said, strict=True):
        assert left.get_window_extent().x1 < right.get_window_extent().x0


def test_the_title_of_an_overview_lies_on_it_however_narrow_the_map():
    table = Features(
        np.array([shapely.LineString([(0, 0), (100, 9000)])], object), pa.table({"level": ["alert"]}), CRS("EPSG:3035")
    )
    report = {"assets_seen": 1, "assets": 1, "first_date": "2020-01-03", "last_date": "2024-12-25"}
    figure = overview_figure(table, report | {"false_alarms_expected": {"notice": 0.01}})
    figure.draw_without_rendering()
    (title,) = (each for each in figure.findobj(lambda each: "noise alone" in getattr(each, "get_text", str)()))
    extent = title.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.x1
