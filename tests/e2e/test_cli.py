"""The command line, as a user meets it."""

import re
import subprocess
import sys
import time

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.io import write_image
from groundshift.synth.textures import shifted_pair
from tests.reference.command import run as run_here

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
COMMAND = [sys.executable, "-m", "groundshift"]


def run(*arguments):
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def written(folder, size):
    grid = GeoBox((size, size), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
    pre, post, _ = shifted_pair(size, dx=0.4, dy=0.2, noise=0.03, seed=5)
    for name, image in (("pre.tif", pre), ("post.tif", post)):
        write_image(folder / name, (1000 + 100 * image).astype(np.float32), grid)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("pair"), 512)


def test_demo_ends_with_pictures_and_numbers(tmp_path):
    said = run("demo", "-o", tmp_path / "demo").stdout
    assert "error against the truth: 0.0" in said
    measured, true = map(float, re.search(r"right-lateral (\S+) ± \S+ m \(true (\S+)\)", said).groups())
    assert 8 < true < 12
    assert measured == pytest.approx(true, rel=0.06)
    for component in ("up", "east"):
        assert float(re.search(rf"{component} in \d+ cells of 100 m: error (\S+) mm/yr", said)[1]) < 1.0
    alone, fused = (
        float(re.search(rf"{who}: .*north[^(,]*?\(?([\d.]+) m", said)[1]) for who in ("radar alone", "stations")
    )
    assert fused < alone / 3
    pair = tmp_path / "demo" / "earthquake"
    names = {path.name for path in pair.iterdir()}
    assert names >= {"displacement.tif", "quicklook.png", "comparison.png", "profile.png", "pre.tif", "trace.geojson"}
    told = run_here("info", pair / "displacement.tif").stdout
    assert "displacement map, 512 x 512 pixels of 10 m, EPSG:32611" in told
    assert "2019-06-28 to 2019-07-13" in told
    profile = run_here("profile", pair / "displacement.tif", pair / "trace.geojson", "-o", tmp_path, check=True)
    assert "right-lateral +" in profile.stdout
    assert said.split()[-1] == (tmp_path / "demo" / "map" / "index.html").as_uri()
    for page in (tmp_path / "demo" / "map", tmp_path / "lines"):
        if page.name == "lines":
            run_here("explore", pair / "trace.geojson", "--export", page, check=True)
        assert "data-exported" in (page / "index.html").read_text()


def test_pair_info_and_errors(files, tmp_path):
    said = run("pair", files / "pre.tif", files / "post.tif", "-o", tmp_path / "out", "--method", "frequency").stdout
    assert "displacement map, 64 x 64 pixels of 80 m" in said
    assert "512 x 512 pixels of 10 m" in run_here("info", files / "pre.tif").stdout
    failed = run_here("pair", files / "pre.tif", files / "gone.tif", "-o", tmp_path / "no")
    assert failed.returncode == 1
    assert "gone.tif" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "no").exists()
    failed = run_here("pair", files / "pre.tif", files / "post.tif", "-o", tmp_path / "no", "--window", "4")
    assert failed.returncode == 1
    assert "--window" in failed.stderr


def test_killed_and_started_again_gives_the_same_bytes(tmp_path):
    """A driver measures with small tiles; it is killed as soon as a few tiles are there."""
    files, driver = written(tmp_path, 256), tmp_path / "driver.py"
    driver.write_text(
        "import sys, groundshift\n"
        "groundshift.measure_pair(sys.argv[1], sys.argv[2], out=sys.argv[3], method='gauss-newton', step=4, tile=64,\n"
        "                         executor='serial')\n"
    )

    def command(out):
        return [sys.executable, str(driver), str(files / "pre.tif"), str(files / "post.tif"), str(tmp_path / out)]

    subprocess.run(command("whole"), check=True)
    process = subprocess.Popen(command("killed"))
    for _ in range(6000):
        time.sleep(0.05)
        if len(list((tmp_path / "killed").glob(".tiles/*/*.npz"))) >= 3:
            break
    process.kill()
    process.wait()
    kept = len(list((tmp_path / "killed").glob(".tiles/*/*.npz")))
    assert 3 <= kept < 16
    assert not (tmp_path / "killed" / "displacement.tif").exists()
    subprocess.run(command("killed"), check=True)
    for name in ("displacement.tif", "quicklook.png"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
