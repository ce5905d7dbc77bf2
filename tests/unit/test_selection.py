"""Finding, grouping, splitting, measuring and judging pairs of images."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from scipy import ndimage

from groundshift.errors import ConfigurationError, InputError
from groundshift.grid.tiles import Box
from groundshift.io import write_image
from groundshift.kernels.spline import coefficients, warp
from groundshift.synth.real_pairs import ImagePair, local_correlation, read_pair, select_pairs
from groundshift.synth.selection import (
    HELD_OUT,
    Selection,
    Site,
    SourceImage,
    find_images,
    footprint_of,
    group_sites,
    split_sites,
    stac_images,
)

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
SHAPE = (300, 340)
SHIFT = (1.37, -0.81)  # of the second image of the sites below


def grid_at(x=500_000, y=4_000_000, *, shape=SHAPE, epsg=32633):
    """A grid of 10 m pixels with its upper left corner at (x, y)."""
    return GeoBox(shape, Affine(10, 0, x, 0, -10, y), f"EPSG:{epsg}")


def texture(seed, shape=SHAPE):
    """An image with structure of a few pixels, 16 bits."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return 2000 + 300 * ndimage.gaussian_filter(noise, 1.2, mode="mirror") / 0.23


def moved(image, dx, dy, *, noise=20, seed=9):
    """The image after its ground has moved (dx right, dy down), with noise."""
    flow = (np.full(image.shape, -each, np.float32) for each in (dx, dy))
    again = warp(coefficients(image.astype(np.float32)), *flow)
    return again + noise * np.random.default_rng(seed).normal(size=image.shape)


def save(path, image, grid):
    """Write an image of 16 bits."""
    write_image(path, image.round().clip(1, 65535).astype(np.uint16), grid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sites of two dates, one of which moved by SHIFT, one where the second image is another one altogether."""
    folder = tmp_path_factory.mktemp("images")
    first = texture(1)
    save(folder / "arles_20200101_B04.tif", first, grid_at())
    save(folder / "arles_20200301_B04.tif", moved(first, *SHIFT), grid_at())
    save(folder / "more" / "brest_20200101_B04.tif", texture(2), grid_at(520_000))
    save(folder / "more" / "brest_20200301_B04.tif", texture(3), grid_at(520_000))
    (folder / "arles_20200401_B04.tif").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def arles(folder):
    """The pair of the site that is fit."""
    return select_pairs(group_sites(find_images(folder))).pairs[0]


def test_images_are_found_and_grouped(folder, caplog):
    images = find_images(folder)
    assert [source.name for source in images] == [
        f"{a}_2020{b}01_B04" for a in ("arles", "brest") for b in ("01", "03")
    ]
    assert {source.band for source in images} == {"B04"}
    assert images[0].date == np.datetime64("2020-01-01")
    assert "arles_20200401_B04.tif cannot be opened" in caplog.text
    sites = group_sites(reversed(images))
    assert [(site.name, len(site.images)) for site in sites] == [("arles", 2), ("brest", 2)]
    with pytest.raises(InputError, match="no image of the bands"):
        find_images(folder, Selection(bands=("B08",)))


def test_the_shift_is_measured_and_recorded(arles):
    assert (arles.site, arles.band) == ("arles", "B04")
    assert (arles.pre_date, arles.post_date) == ("2020-01-01", "2020-03-01")
    assert arles.grid == grid_at()
    assert arles.shift == pytest.approx(SHIFT, abs=0.01)
    assert max(arles.shift_sigma) < 0.02
    assert arles.correlation > 0.95
    assert arles.missing < 0.02  # the margin of the shift
    assert ImagePair.model_validate_json(arles.model_dump_json()) == arles


def test_a_pair_is_read_to_a_whole_pixel(arles):
    box = Box(40, 50, 240, 280)
    pre, post, dx, dy = read_pair(arles, box)
    assert (dx, dy) == pytest.approx((SHIFT[0] - 1, SHIFT[1] + 1), abs=0.01)
    flow = (np.full(pre.shape, each, np.float32) for each in (dx, dy))
    aligned = warp(coefficients(post), *flow)
    inner = np.s_[5:-5, 5:-5]
    assert np.corrcoef(pre[inner].ravel(), aligned[inner].ravel())[0, 1] > 0.99
    beyond = read_pair(arles, Box(-10, -10, 20, 20))
    assert np.isnan(beyond.pre[:10]).all()
    assert np.isfinite(beyond.pre[10:, 10:]).all()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"least_correlation": 0.999}, "mean local correlation"),
        ({"least_days": 90}, "60 days apart"),
        ({"most_days": 30}, "60 days apart"),
        ({"least_size": 320}, "300 x 340 pixels"),
        ({"most_missing": 0.0}, "pixels are missing"),
        ({"most_scatter": 1e-6}, "scatters"),
        ({"area": (0.0, 0.0, 1.0, 1.0)}, "area of interest"),
        ({"forbidden": ("arles",)}, "forbidden ground (arles)"),
        ({"forbidden": ((14.9, 36.0, 15.1, 36.2),)}, "forbidden ground (14.9"),
    ],
)
def test_an_unfit_pair_is_rejected_with_the_reason(folder, options, why):
    sites = [site for site in group_sites(find_images(folder)) if site.name == "arles"]
    pairs, rejected = select_pairs(sites, Selection(**options))
    assert pairs == ()
    assert len(rejected) == 1
    assert why in rejected[0].why


def test_images_of_other_ground_agree_on_no_shift(folder):
    pairs, rejected = select_pairs(group_sites(find_images(folder)))
    assert [pair.site for pair in pairs] == ["arles"]
    assert [each.site for each in rejected] == ["brest"]


def test_the_area_crops_the_pair(folder):
    lon, lat = 15.0, 36.144
    bounds = (lon, lat - 0.025, lon + 0.028, lat - 0.001)
    pairs, _ = select_pairs(group_sites(find_images(folder)), Selection(area=bounds, least_size=200))
    assert len(pairs) == 1
    assert pairs[0].grid.shape.y < SHAPE[0]
    assert pairs[0].grid.shape.x < SHAPE[1]
    assert pairs[0].shift == pytest.approx(SHIFT, abs=0.02)


def test_pixels_that_do_not_coincide_need_leave_to_be_resampled(tmp_path):
    first = texture(4)
    save(tmp_path / "a_20200101.tif", first, grid_at())
    save(tmp_path / "a_20200301.tif", moved(first, -0.5, 0.0), grid_at(500_005))
    sites = group_sites(find_images(tmp_path))
    _, rejected = select_pairs(sites)
    assert "do not coincide" in rejected[0].why
    (pair,), _ = select_pairs(sites, Selection(resample=True))
    assert pair.resampled
    assert pair.shift == pytest.approx((0, 0), abs=0.02)


def test_ground_is_masked(folder, tmp_path):
    """Moved ground is left out, also where the file has some of another continent; only stable ground is kept."""
    here = shapely.box(15.0, 36.13, 15.01, 36.14)
    far = shapely.box(-150.0, 60.0, -149.9, 60.1)
    for name, shapes in (("both", [here, far]), ("here", [here])):
        features = [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(s)} for s in shapes]
        (tmp_path / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    sites = group_sites(find_images(folder))
    free = Selection(most_missing=1, least_correlation=-1)
    (moving, *_), _ = select_pairs(sites, free.model_copy(update={"moved_ground": str(tmp_path / "both.geojson")}))
    (stable, *_), _ = select_pairs(sites, free.model_copy(update={"stable_ground": str(tmp_path / "here.geojson")}))
    box = Box(0, 0, *SHAPE)
    without, only = (np.isfinite(read_pair(pair, box).pre) for pair in (moving, stable))
    assert 0.05 < only.mean() < 0.2
    assert np.array_equal(without, ~only)
    assert stable.missing > 0.8
    assert moving.shift == pytest.approx(SHIFT, abs=0.01)


def test_an_image_that_cannot_be_read_is_a_rejection(folder, tmp_path):
    sources = [item_of("a", "2020-01-01", str(folder / "arles_20200101_B04.tif")), item_of("b", "2020-03-01", "no.tif")]
    pairs, rejected = select_pairs(group_sites(stac_images(sources, Selection(bands=("B04",)), base=tmp_path)))
    assert pairs == ()
    assert "no.tif does not exist" in rejected[0].why


def test_few_pairs_of_a_site_are_taken(tmp_path):
    first = texture(5)
    for month in range(1, 5):
        save(tmp_path / f"crete_20200{month}01_B04.tif", moved(first, 0, 0, seed=month), grid_at())
    sites = group_sites(find_images(tmp_path))
    two = select_pairs(sites, Selection(pairs_per_site=2))
    assert len(two.pairs) == 2
    assert two.pairs == select_pairs(sites, Selection(pairs_per_site=2)).pairs
    assert len(select_pairs(sites, Selection()).pairs) == 6


def site_at(lon, lat, side=0.05, name="x"):
    """A site with one image around a place."""
    footprint = shapely.box(lon - side, lat - side, lon + side, lat + side)
    source = SourceImage(f"{name}.tif", name, "", np.datetime64("NaT", "D"), footprint)
    return Site(f"{name}_{lon:.2f}_{lat:.2f}", (source,), footprint)


def many(count, seed=0):
    """Sites all over the world, some of which touch."""
    random = np.random.default_rng(seed)
    places = zip(random.uniform(-170, 170, count), random.uniform(-60, 60, count), strict=True)
    return [site_at(lon, lat, side=0.4) for lon, lat in places]


def test_no_ground_is_in_two_splits():
    splits = split_sites(many(600), seed=3)
    ground = [shapely.union_all([site.footprint for site in each]) for each in splits.values()]
    assert sum(map(len, splits.values())) == 600
    assert all(not ground[i].intersects(ground[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    shares = np.array([len(each) for each in splits.values()]) / 600
    assert shares == pytest.approx([10 / 14, 2 / 14, 2 / 14], abs=0.05)


def test_a_site_that_is_added_moves_no_other():
    sites = many(60)
    new = site_at(179.0, 80.0, name="new")

    def where(sites, seed=0):
        return {site.name: name for name, each in split_sites(sites, seed=seed).items() for site in each}

    before, after = where(sites), where([new, *reversed(sites)])
    assert {name: after[name] for name in before} == before
    assert where(sites, seed=1) != before


def test_few_sites_leave_no_split_empty():
    for seed in range(20):
        splits = split_sites(many(5), seed=seed)
        assert all(splits.values())
        assert sum(map(len, splits.values())) == 5
    assert split_sites(many(5), (1, 1, 0))["test"] == ()


def test_sites_in_a_row_stay_together():
    row = [site_at(10 + 0.09 * i, 45.0) for i in range(12)]
    for seed in range(8):
        assert sorted(map(len, split_sites(row, (1, 1, 1), seed=seed).values())) == [0, 0, 12]


def test_held_out_ground_is_never_trained_on():
    """By its extent, whatever it is called, and by name, wherever it is."""
    held = [site_at((w + e) / 2, (s + n) / 2, 0.01) for w, s, e, n in HELD_OUT.values()]
    named = [site_at(100.0, 5.0 * i, name=f"{name}_1_2018") for i, name in enumerate(HELD_OUT)]
    for seed in range(5):
        splits = split_sites([*held, *named, *many(20)], (1, 0, 0), seed=seed)
        assert {site.name for site in splits["test"]} >= {site.name for site in (*held, *named)}
    with pytest.raises(ConfigurationError, match="three numbers"):
        split_sites(held, (0, 0, 0))


def test_sites_are_told_apart_by_overlap_not_by_crs():
    def source(name, grid):
        return SourceImage(f"{name}.tif", name, "", np.datetime64("NaT", "D"), footprint_of(grid))

    near_grid = grid_at()
    near = [source("first", near_grid), source("second", grid_at(501_000)), source("third", grid_at(503_300))]
    assert [len(site.images) for site in group_sites(near)] == [2, 1]  # the third shows a tenth of the first
    edge = grid_at(833_000, 2_000, epsg=32601), grid_at(166_000, 2_000, epsg=32660)
    zones = [source("east", edge[0]), source("west", edge[1])]
    assert len(group_sites(zones)) == 2
    x, y = near_grid.crs.transformer_to_crs(CRS("EPSG:32632"))(500_000, 4_000_000)
    other = grid_at(x, y, epsg=32632)
    assert len(group_sites([near[0], source("again", other)])) == 1
    across = GeoBox((400, 400), Affine(0.001, 0, 179.8, 0, -0.001, 0.2), "EPSG:4326")
    beyond = GeoBox((400, 400), Affine(0.001, 0, -180.2, 0, -0.001, 0.2), "EPSG:4326")
    assert len(group_sites([source("a", across), source("b", beyond)])) == 1


def item_of(name, day, href, *, cloud=0.0, own=None):
    """A STAC item with one red band and a thumbnail."""
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "bbox": [],
        "geometry": shapely.geometry.mapping(footprint_of(grid_at())),
        "properties": {"datetime": f"{day}T10:00:00Z", "eo:cloud_cover": cloud},
        "links": [{"rel": "self", "href": own}] if own else [],
        "assets": {
            "visual": {"href": href, "type": "image/tiff", "eo:bands": [{"name": "B04"}, {"name": "B03"}]},
            "thumbnail": {"href": "t.tif", "roles": ["thumbnail"], "eo:bands": [{"name": "B04"}]},
            "one": {"href": href, "type": "image/tiff; application=geotiff", "eo:bands": [{"name": "B04"}]},
        },
    }  # fmt: skip


def test_stac_items_give_scenes_and_pairs(folder, tmp_path):
    items = [
        item_of("S2_2020a", "2020-01-01", "arles_20200101_B04.tif"),
        item_of("S2_2020b", "2020-03-01", str(folder / "arles_20200301_B04.tif")),
        item_of("S2_2020c", "2020-03-05", "cloudy.tif", cloud=80.0),
    ]
    path = folder / "found.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    images = stac_images(path, Selection(bands=("b04",)))
    assert [(source.name, source.band) for source in images] == [("S2_2020a", "B04"), ("S2_2020b", "B04")]
    (site,) = group_sites(images)
    assert site.name == "N36.13E015.02"
    (pair,), _ = select_pairs([site])
    assert pair.shift == pytest.approx(SHIFT, abs=0.01)
    assert pair.pre_date == "2020-01-01"


def test_stac_items_can_be_remote(folder):
    """Images are read over the network, from hrefs relative to the item's own address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            own = f"http://127.0.0.1:{server.server_port}/item.json"
            days = (("a", "2020-01-01"), ("b", "2020-03-01"))
            items = [item_of(name, day, f"arles_{day.replace('-', '')}_B04.tif", own=own) for name, day in days]
            (pair,), rejected = select_pairs(group_sites(stac_images(items, Selection(bands=("B04",)))))
        finally:
            server.shutdown()
            thread.join()
    assert rejected == ()
    assert pair.pre == own.replace("item.json", "arles_20200101_B04.tif")
    assert pair.shift == pytest.approx(SHIFT, abs=0.01)


def test_stac_hrefs_start_at_the_item():
    own = "https://example.com/catalog/a/item.json"
    chosen = Selection(bands=("B04",))
    (source,) = stac_images([item_of("x", "2020-01-01", "../b/B04.tif", own=own)], chosen)
    assert source.path == "https://example.com/catalog/b/B04.tif"
    (source,) = stac_images(item_of("x", "2020-01-01", "s3://bucket/B04.tif"), chosen)
    assert source.path == "s3://bucket/B04.tif"
    with pytest.raises(ConfigurationError, match="name the bands"):
        stac_images([], Selection())
    with pytest.raises(InputError, match="no STAC item has an image"):
        stac_images([item_of("x", "2020-01-01", "a.tif")], Selection(bands=("B11",)))
    with pytest.raises(InputError, match="no STAC item"):
        stac_images([{"id": 3}], chosen)


def test_local_correlation_is_that_of_each_window():
    a, b = texture(6, (60, 70)), moved(texture(6, (60, 70)), 0.3, 0.2, noise=100)
    found = local_correlation(a, b, window=32)
    each = [
        np.corrcoef(a[i : i + 32, j : j + 32].ravel(), b[i : i + 32, j : j + 32].ravel())[0, 1]
        for i in range(0, 29, 8)
        for j in range(0, 39, 8)
    ]
    assert found == pytest.approx(each, abs=1e-9)
    a[:, :50] = np.nan
    assert local_correlation(a, b, window=32).size < len(each)
    assert local_correlation(np.ones((60, 70)), b, window=32).size == 0
