"""The explorer in a real browser: displacement over time, and what an asset does along it."""

import json
import re

import pytest
from reference.browser import CHROMIUM, middle, number, taken, until
from reference.explorer import served, village

from groundshift.explore.export import export_page
from groundshift.io.points import write_points

POINTS = 1200
MOTIONS = (0.1, -0.2, -6.5, None, 0.3, 0.0, 0.1, 0.2, -0.1, 0.4)  # mm/yr

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium as /usr/bin/chromium")
pytest.importorskip("playwright.sync_api", reason="needs playwright")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A village that sinks, and the judged segments of a railway through it."""
    folder = tmp_path_factory.mktemp("time")
    write_points(folder / "points.parquet", village(POINTS))
    features = []
    for n, motion in enumerate(MOTIONS):
        verdict = "too few points" if motion is None else "moves away" if motion < -3 else "does not move"
        known = {
            "id": "r1",
            "name": "Railway",
            "kind": "railway",
            "segment": n + 1,
            "segments": len(MOTIONS),
            "from": 50.0 * n,
            "to": 50.0 * (n + 1),
        }
        known |= {
            "verdict": verdict,
            "motion": motion,
            "motion_sigma": 0.4,
            "motion_bound": 0.9,
            "points": 5,
            "span": False,
            "width": 400.0,
        }
        west = 9.996 + 0.0008 * n
        line = {"type": "LineString", "coordinates": [[west, 52.0], [west + 0.0008, 52.0]]}
        features.append({"type": "Feature", "geometry": line, "properties": known})
    (folder / "railway.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return folder


@pytest.fixture(scope="module")
def address(folder):
    with served([folder / "points.parquet", folder / "railway.geojson"]) as address:
        yield address


def tip_in_the_middle(page):
    """What is told of the point nearest to the middle of the village, mm and its sigma."""
    x, y = middle(page)
    for reach in range(0, 90, 6):
        for dx, dy in ((reach, 0), (-reach, 0), (0, reach), (0, -reach), (reach, reach), (-reach, -reach)):
            page.mouse.move(x + dx, y + dy)
            page.wait_for_timeout(40)
            text = page.locator("#tip").inner_text() if page.locator("#tip").is_visible() else ""
            if "±" in text and "yr" not in text:
                return [number(each) for each in text.replace("mm", "").split("±")], (x + dx, y + dy)
    raise AssertionError("no point near the middle")


def test_displacement_between_two_months_is_shown_and_played(chromium, address):
    page, wrong = chromium(f"{address}/#lang=en")
    assert page.locator("#film").is_hidden()
    assert page.locator("#by option[value=displacement]").count() == 0  # it is no column to filter by
    page.uncheck("#layers input[id^=layer-railway]")
    page.select_option("#field", "displacement")
    until(page, "document.getElementById('film-months').textContent === 'Jan 2020 → Dec 2021'")
    until(page, "document.body.dataset.waiting === 'false'")
    assert "Displacement mm" in page.locator("#legend").inner_text()
    (whole, sigma), place = tip_in_the_middle(page)
    assert whole < -8  # ten a year, for two years less a month, near the middle
    assert 0.7 < sigma < 1.5  # of means of two or three dates with 1 mm of noise

    page.locator("#film-to").focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    until(page, "document.getElementById('film').dataset.span === '2020-01 2020-12'")
    page.mouse.move(1, 1)
    page.mouse.move(*place)
    until(page, "document.getElementById('tip').textContent.includes('±')")
    half = number(page.locator("#tip").inner_text().split("±")[0])
    assert abs(half - whole / 2) < 4
    until(page, "location.hash.includes('t=2020-01,2020-12')")
    link = page.url

    page.locator("#film-from").focus()
    page.keyboard.press("End")  # no later than the other
    until(page, "document.getElementById('film').dataset.span === '2020-12 2020-12'")
    page.click("#film-play")
    until(page, "document.getElementById('film').dataset.span === '2020-12 2021-12'")
    until(page, "document.getElementById('film-play').textContent === '▶'")  # it ends by itself
    page.click("#film-play")
    page.click("#film-play")
    assert page.locator("#film-play").get_attribute("aria-label") == "Play"

    page.click("#area")  # statistics are of the velocity
    for dx, dy in ((-120, -120), (120, -120), (0, 120)):
        page.mouse.click(middle(page)[0] + dx, middle(page)[1] + dy)
        page.wait_for_timeout(350)
    page.keyboard.press("Enter")
    page.wait_for_selector("#take-csv")
    assert "Velocity" in page.locator("#drawer-title").inner_text()
    page.select_option("#field", "mean_velocity")
    until(page, "document.getElementById('film').hidden")
    assert not wrong
    page.close()

    again, wrong = chromium(link.replace("lang=en", "lang=fr"), viewport={"width": 390, "height": 760})
    assert again.locator("#film").get_attribute("data-span") == "2020-01 2020-12"
    assert again.locator("#film-months").inner_text() == "janv. 2020 → déc. 2020"
    box, zoom = again.locator("#keys").bounding_box(), again.locator(".maplibregl-ctrl-zoom-in").bounding_box()
    assert box["x"] + box["width"] <= zoom["x"]
    assert not wrong
    again.close()


@pytest.mark.parametrize("flags", [(), ("--disable-3d-apis",)], ids=["webgl", "plain"])
def test_an_exported_map_plays_from_disk(chromium, folder, tmp_path, flags):
    export_page([folder / "points.parquet"], tmp_path / "site")
    page, wrong = chromium(
        (tmp_path / "site/index.html").as_uri() + "#lang=en&f=displacement&t=2020-01,2021-06", *flags
    )
    assert page.locator("body").get_attribute("data-drawn") == str(POINTS)
    assert page.locator("#film").get_attribute("data-span") == "2020-01 2021-06"
    (value, _), _ = tip_in_the_middle(page)
    assert value < -5
    assert [line for line in wrong if "ERR_FILE_NOT_FOUND" not in line] == []
    page.close()


def test_without_webgl_the_server_draws_no_displacement(chromium, address):
    page, wrong = chromium(f"{address}/#lang=en&f=displacement", "--disable-3d-apis")
    assert page.locator("#field option[value=displacement]").count() == 0
    assert page.locator("#field").input_value() == "mean_velocity"
    assert not wrong
    page.close()


def test_what_an_asset_does_along_it(chromium, address):
    page, wrong = chromium(f"{address}/#lang=en", viewport={"width": 1200, "height": 760})
    page.click(".span")  # the one that moves
    until(page, "document.getElementById('drawer-title').textContent === 'Railway · segment 3 / 10'")
    chart = page.locator(".plot .chart")
    assert "segment 3 / 10: moves away from the satellite by 6.5 ± 0.4 mm/yr" in chart.get_attribute("aria-label")
    lines = taken(page, "values").decode().splitlines()
    assert lines[1] == "from_m,to_m,motion_mm_yr,sigma_mm_yr,points,verdict"
    assert lines[4] == "100,150,-6.5,0.4,5,moves away"
    assert lines[5].startswith("150,200,,")  # too few points
    assert len(lines) == 2 + len(MOTIONS)
    reds = page.evaluate(REDS)
    assert reds["found"] > 200
    assert 0.2 < reds["share"] < 0.35  # of the way along: 100 to 150 of 500 m
    box = page.locator(".plot .u-over").bounding_box()
    page.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + 40)
    assert re.match(r"400–450 m · does not move by more than 0.9 mm/yr", page.locator(".readout").inner_text())
    page.mouse.click(box["x"] + 0.85 * box["width"], box["y"] + 40)
    until(page, "document.getElementById('drawer-title').textContent === 'Railway · segment 9 / 10'")
    page.click("#take-series")  # of the points beside the ninth segment
    page.wait_for_selector("#take-csv")
    taken_away = json.loads(taken(page, "geojson"))["features"]
    assert len(taken_away) == number(page.locator("dl.wide dd").first.inner_text()) > 0
    for longitude, latitude in (each["geometry"]["coordinates"] for each in taken_away):
        assert 10.0024 < longitude < 10.0032  # not beyond the ends of the segment
        assert abs(latitude - 52) * 111_320 < 215
    assert re.search(r"Mean series of the area: .* ± .* mm/yr", page.locator("#drawer-body").inner_text())
    page.fill("#sought", "railway")
    page.keyboard.press("Enter")
    assert page.locator("#found button").count() == 8
    assert "2 more" in page.locator("#found").inner_text()
    assert not wrong
    page.close()


REDS = """() => {
  const canvas = document.querySelector('.plot canvas');
  const over = document.querySelector('.plot .u-over').getBoundingClientRect();
  const box = canvas.getBoundingClientRect();
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let found = 0, sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 60 || data[i] < data[i + 1] + 40 || data[i] < data[i + 2] + 40) continue;
    found++;
    sum += (i / 4) % canvas.width;
  }
  const x = (sum / found) * (box.width / canvas.width) + box.left;
  return { found, share: (x - over.left) / over.width };
}"""
