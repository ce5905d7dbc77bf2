"""Files that were cut, or harmed on the disk, are named in one line, whatever reads them."""

import os
import shutil
from pathlib import Path

import numcodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import zarr
from numcodecs import Zlib
from pyproj import CRS
from reference.explorer import village, write_sources

from groundshift.errors import ContractError, GroundshiftError, InputError
from groundshift.insar.convert import convert_stack
from groundshift.io.features import Features, read_features, write_features
from groundshift.io.maps import read_map
from groundshift.io.point_batches import point_batches, point_parts
from groundshift.io.points import read_point_batches, read_points, write_points
from groundshift.io.radar_stack import open_cube, open_stack, write_stack
from groundshift.io.stacks import LAYOUTS, open_any_stack, read_attributes, write_any_stack
from groundshift.io.stacks.lazy import zarr_array
from groundshift.io.stacks.pour import empty_binary
from groundshift.io.stacks.simulated import geocoded
from groundshift.io.stacks.supplement import read_baselines
from groundshift.io.web import open_web_raster
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.stack import simulate_stack


def harm(path):
    """Other bytes in the middle of a file."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    for place in range(middle, middle + max(40, len(content) // 50)):
        content[place] ^= 0xA5
    path.write_bytes(content)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    write_sources(folder, village(2000))
    write_points(folder / "village.parquet", village(2000))
    rng = np.random.default_rng(0)
    dots = Features(shapely.points(*rng.normal(size=(2, 3000))), pa.table({"x": range(3000)}), CRS(4326))
    write_features(folder / "many.gpkg", dots)
    return folder


@pytest.mark.parametrize("how", [harm, lambda path: path.write_bytes(path.read_bytes()[:-3000])], ids=["harmed", "cut"])
def test_a_map(sources, tmp_path, how):
    path = shutil.copy(sources / "quake.tif", tmp_path / "quake.tif")
    raster = open_web_raster(path)
    how(path)
    for read in (lambda: read_map(path), lambda: raster.tile(0, 0, 0, ("east",)), lambda: raster.spread("east")):
        with pytest.raises(InputError, match=r"quake\.tif cannot be (read|opened)"):
            read()


def test_points_that_are_read_in_parts(sources, tmp_path):
    path = shutil.copy(sources / "village.parquet", tmp_path / "village.parquet")
    parts = point_parts(path)
    harm(path)
    everywhere = (-1e9, -1e9, 1e9, 1e9)
    with pytest.raises(InputError, match=r"village\.parquet cannot be read"):
        list(point_batches(parts, everywhere, parts.columns))


def test_points_of_which_one_bit_is_wrong(sources, tmp_path):
    path = Path(shutil.copy(sources / "village.parquet", tmp_path / "village.parquet"))
    footer = pq.read_metadata(path).row_group(0)
    numbers = {footer.column(k).path_in_schema: k for k in range(footer.num_columns)}
    column = footer.column(numbers["mean_velocity"])
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    for read in (read_points, lambda path: list(read_point_batches(path))):
        with pytest.raises(InputError, match=r"village\.parquet cannot be read"):
            read(path)


def test_features(sources, tmp_path):
    path = shutil.copy(sources / "many.gpkg", tmp_path / "many.gpkg")
    harm(path)
    with pytest.raises(InputError, match=r"many\.gpkg cannot be read"):
        read_features(path)


@pytest.fixture(scope="module")
def stack():
    return simulate_stack(StackOptions(lines=20, pixels=20, dates=3)).stack


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_stack(stack, tmp_path, content):
    write_stack(tmp_path / "stack.zarr", stack)
    (tmp_path / "stack.zarr" / "zarr.json").write_bytes(content)
    with pytest.raises(InputError, match=r"stack\.zarr cannot be opened as Zarr"):
        open_stack(tmp_path / "stack.zarr")


def test_a_chunk_of_a_stack_is_named_also_for_a_single_bit(stack, tmp_path):
    write_stack(tmp_path / "stack.zarr", stack)
    opened = open_stack(tmp_path / "stack.zarr")
    chunk = tmp_path / "stack.zarr" / "slc" / "c" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(InputError, match=r"stack\.zarr/slc/c/0/0/0 cannot be unpacked.*corrupt"):
        opened["slc"][1, 3:5, 7].compute()
    with pytest.raises(InputError, match=r"stack\.zarr/slc/c/0/0/0 cannot be unpacked"):
        convert_stack(tmp_path / "stack.zarr", tmp_path / "other.zarr")
    assert not (tmp_path / "other.zarr").exists()


@pytest.mark.parametrize("name", ["slc", "height", "latitude"])
def test_a_stack_that_lost_a_chunk_is_refused(stack, tmp_path, name):
    """Zarr takes it for empty, as after a copy that was interrupted."""
    write_stack(tmp_path / "stack.zarr", stack)
    assert "chunk_files" not in open_stack(tmp_path / "stack.zarr").attrs
    next(each for each in (tmp_path / "stack.zarr" / name / "c").rglob("*") if each.is_file()).unlink()
    for read in (open_stack, open_any_stack, lambda path: convert_stack(path, tmp_path / "other.zarr")):
        with pytest.raises(InputError, match=rf"stack\.zarr/{name} has 0 files of chunks, 1 were written"):
            read(tmp_path / "stack.zarr")


def test_of_several_chunks_the_harmed_one_is_named(tmp_path):
    kind = {"dtype": "f4", "compressors": Zlib(), "zarr_format": 2}
    array = zarr.create_array(tmp_path / "a", shape=(40, 60), chunks=(20, 20), **kind)
    array[:] = np.random.default_rng(0).normal(size=(40, 60))
    harm(tmp_path / "a" / "1.2")
    image = zarr_array(tmp_path / "a")
    assert image[0:40, 0:40].shape == (40, 40)
    for key in ((slice(0, 40), slice(0, 60)), (slice(30, 31), slice(50, 51)), (30, 50)):
        with pytest.raises(InputError, match=r"a/1\.2 cannot be unpacked"):
            image[key]


BLOSC = {
    2: {"compressors": numcodecs.Blosc(), "zarr_format": 2},
    3: {"compressors": zarr.codecs.BloscCodec(), "zarr_format": 3},
}


@pytest.mark.parametrize("version", BLOSC)
@pytest.mark.parametrize("share", [0.0, 0.002, 0.5, 0.999])
def test_a_chunk_that_was_cut_is_named_before_blosc_reads_on(tmp_path, version, share):
    """Without a checksum it would end the process."""
    pixels = np.random.default_rng(0).normal(size=(400, 400))
    root = zarr.create_group(tmp_path / "cube", zarr_format=version)
    kind = {**BLOSC[version], "shape": pixels.shape, "chunks": (200, 200), "dtype": "f8"}
    root.create_array("a", **{key: value for key, value in kind.items() if key != "zarr_format"},
                      **({"dimension_names": ("y", "x")} if version == 3 else {}))[:] = pixels  # fmt: skip
    path = tmp_path / "cube" / "a"
    chunk = path / ("c/1/0" if version == 3 else "1.0")
    chunk.write_bytes(chunk.read_bytes()[: int(share * chunk.stat().st_size)])
    image = zarr_array(path) if version == 2 else open_cube(tmp_path / "cube")["a"]
    np.testing.assert_array_equal(np.asarray(image[0:200, 0:400]), pixels[:200])
    for key in ((slice(100, 300), slice(150, 160)), (399, 0)):
        with pytest.raises(InputError, match=rf"{chunk.relative_to(path)} cannot be unpacked: .*truncated"):
            np.asarray(image[key])


def test_a_stack_is_on_the_disk_before_it_has_its_name(stack, tmp_path, monkeypatch):
    """A power failure after the renaming must not leave chunks without their bytes."""
    flushed, missing, fsync, replace = set(), [], os.fsync, Path.replace

    def flushing(number):
        flushed.add(os.fstat(number).st_ino)
        fsync(number)

    def renaming(self, target):
        if self.is_dir():
            missing.extend(each for each in self.rglob("*") if each.is_file() and each.stat().st_ino not in flushed)
            renamed.append(Path(target).name)
        return replace(self, target)

    renamed = []
    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(Path, "replace", renaming)
    monkeypatch.setattr(Path, "rename", renaming)
    write_stack(tmp_path / "stack.zarr", stack)
    write_any_stack(tmp_path / "snap", stack, "snap")
    assert renamed == ["stack.zarr", "snap"]
    assert missing == []


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")  # of numbers that harmed files hold
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "zarr"])
def test_a_layout_with_any_harmed_file_is_read_or_refused_in_a_line(stack, tmp_path, layout):
    folder, random = tmp_path / "stack", np.random.default_rng(3)
    write_any_stack(folder, stack, layout)
    files, refused = [each for each in sorted(folder.rglob("*")) if each.stat().st_size and each.is_file()], 0
    for _ in range(25):
        path = files[random.integers(len(files))]
        content = path.read_bytes()
        at = int(random.integers(min(len(content), 4000)))
        worse = [content[:at], content[:at] + bytes(300) + content[at + 300 :],
                 content[:at] + bytes(each ^ 0xA5 for each in content[at : at + 40]) + content[at + 40 :]]  # fmt: skip
        path.write_bytes(worse[random.integers(3)])
        try:
            open_any_stack(folder).compute(scheduler="synchronous")
        except GroundshiftError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
        path.write_bytes(content)
    assert refused > 5
    open_any_stack(folder)


@pytest.mark.parametrize("name", ["baselines.csv", "attributes.json"])
def test_what_is_given_beside_a_stack_is_no_text(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe20200101 \x95")
    read = {"baselines.csv": read_baselines, "attributes.json": read_attributes}[name]
    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("layout", ["opera", "nisar", "isce2", "snap"])
@pytest.mark.parametrize("limit", [300, 3000])
def test_a_layout_that_does_not_fit_ends_in_an_error_not_in_a_crash(stack, tmp_path, layout, limit):
    """HDF5 and memory maps end the process when the disk takes no more."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    given = geocoded(stack) if layout in ("opera", "nisar") else stack
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match=r"too large: .*out"):
            LAYOUTS[layout].write(tmp_path / "out", given)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any(tmp_path.iterdir())


def test_a_file_that_is_mapped_has_its_place_on_the_disk(tmp_path):
    values = empty_binary(tmp_path / "a" / "image", (1000, 300), "<f4")
    assert (tmp_path / "a" / "image").stat().st_blocks * 512 >= values.nbytes == 1_200_000
    assert not values.any()
    values[:] = 1
    values.flush()
    assert (np.fromfile(tmp_path / "a" / "image", "<f4") == 1).all()


def test_what_is_no_stack_does_not_take_its_name(stack, tmp_path, monkeypatch):
    write_stack(tmp_path / "in.zarr", stack)

    def refused(path):
        raise ContractError(f"{path} is no stack")

    monkeypatch.setattr("groundshift.insar.convert.open_stack", refused)
    with pytest.raises(ContractError):
        convert_stack(tmp_path / "in.zarr", tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()
