"""The demo: an earthquake in two images, a sinking town in radar, an earthquake seen by all; and a map of it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from groundshift.demo.earthquake import run_earthquake
from groundshift.demo.fusion import run_fusion
from groundshift.demo.town import run_town
from groundshift.explore.export import export_page
from groundshift.io.files import write_text

log = logging.getLogger(__name__)

REPORT_NAME = "report.txt"
PAIR, TOWN, FUSED = "earthquake", "town", "fused"
"""Folders of the chapters."""
MAP = "map"
"""Folder of the page that shows them all."""


def run_demo(out: str | Path, *, method: str = "auto", seed: int = 1) -> str:
    """Simulate and measure all chapters, each in a folder of its own, and make a page of them in `map`.

    Returns
    -------
    What was found, in plain text; also in `report.txt`.
    """
    out = Path(out)
    log.info("1 of 3: an earthquake in two optical images")
    pair = run_earthquake(out / PAIR, method=method, seed=seed)
    log.info("2 of 3: a sinking town in radar images from both sides, and stations")
    town = run_town(out / TOWN, seed=seed + 2)
    log.info("3 of 3: an earthquake seen by optical images, radar and stations")
    fused = run_fusion(out / FUSED, seed=seed)
    shown = [
        *town.ortho, *town.calibrated, town.stations, out / PAIR / "displacement.tif", out / PAIR / "pre.tif",
        out / PAIR / "post.tif", out / PAIR / "trace.geojson", fused.displacement,
    ]  # fmt: skip
    log.info("a map of it all")
    shutil.rmtree(out / MAP, ignore_errors=True)
    export_page(shown, out / MAP, title="groundshift demo")
    text = "\n".join(
        [
            "An earthquake in two optical images", pair, "",
            "A sinking town in radar, tied to stations", *town.report,
            f"pictures in {out / TOWN}: quicklook.png in ascending, descending and ortho",
            f"report: {out / TOWN / 'validation' / 'report.html'}", "",
            "An earthquake seen by all: root mean square errors", *fused.report,
            f"picture: {out / FUSED / 'quicklook.png'}", "",
            "The same with areas, profiles and downloads:",
            f"  groundshift explore {' '.join(map(str, shown))}",
            "See it all on a map, open:",
            (out / MAP / "index.html").resolve().as_uri(),
        ]
    )  # fmt: skip
    write_text(out / REPORT_NAME, text + "\n")
    return text
