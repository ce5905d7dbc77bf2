"""Sets of samples on disk: the same bytes whoever makes them, mended, counted, and split by ground."""

import json

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import ConfigurationError, InputError
from groundshift.io import write_image
from groundshift.io.samples import SampleFolder, read_shard, to_bytes
from groundshift.synth.card import CARD, STATISTICS
from groundshift.synth.dataset import (
    DatasetOptions,
    build_dataset,
    dataset_sample,
    find_pairs,
    find_traces,
    shards_of,
)
from groundshift.synth.earthquakes import FaultOptions
from groundshift.synth.options import PairOptions
from groundshift.synth.scenes import procedural_scene
from groundshift.synth.selection import Selection

OPTIONS = DatasetOptions(
    train=5, validation=2, test=1, scales=("small", "very_large"), shard=2, scene=1000, seed=4,
    pair=PairOptions(size=64, kinds={"bowl": 1, "landslide": 1}),
)  # fmt: skip


def files(folder):
    """All that a set has, but its state, by path: bytes."""
    found = (each for each in folder.rglob("*") if each.is_file())
    return {str(each.relative_to(folder)): each.read_bytes() for each in found if ".shards" not in str(each)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    return folder, build_dataset(folder, OPTIONS, executor="serial")


def test_only_what_is_missing_or_broken_is_made_again(made, tmp_path):
    folder = tmp_path / "set"
    build_dataset(folder, OPTIONS, executor="threads", workers=2)
    before = files(folder)
    times = {each: each.stat().st_mtime_ns for each in folder.rglob("*.tar")}
    gone, cut = folder / "train/small/00001.tar", folder / "test/very_large/00000.tar"
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-3000])
    flipped = folder / "validation/small/00000.tar"
    flipped.write_bytes(bytes(reversed(flipped.read_bytes())))
    (folder / "train/small/.00002.tar.killed").mkdir()
    (folder / "train/small/.00002.tar.killed/00002.tar").write_bytes(b"half")
    build_dataset(folder, OPTIONS, executor="serial")
    assert files(folder) == before == files(made[0])
    again = {each for each, when in times.items() if each.stat().st_mtime_ns != when}
    assert again == {gone, cut, flipped}


def test_shards_hold_what_was_asked_for(made):
    folder, _ = made
    for split, count in (("train", 5), ("validation", 2), ("test", 1)):
        for number, scale in ((1, "small"), (3, "very_large")):
            samples = list(SampleFolder(folder / split / scale))
            assert [each.record["name"] for each in samples] == [f"{k:06d}_{number}_sample.npy" for k in range(count)]
            assert {(each.record["split"], each.record["scale"]) for each in samples} == {(split, scale)}
    assert len(SampleFolder(folder)) == 16
    assert [(each.first, each.count) for each in shards_of(OPTIONS) if each.split == "train"] == 2 * [
        (0, 2), (2, 2), (4, 1)
    ]  # fmt: skip


def test_a_sample_can_be_made_alone_and_no_two_are_alike(made):
    folder, _ = made
    samples = [each for path in sorted(folder.rglob("*.tar")) for each in read_shard(path)]
    one = next(each for each in samples if each.record["name"] == "000003_1_sample.npy")
    assert to_bytes(dataset_sample(OPTIONS, "train", "small", 3)) == to_bytes(one)
    assert len({each.pre.tobytes() for each in samples}) == len(samples)
    scenes = [tuple(each.record["scene"]["seed"]) for each in samples]
    splits = [each.record["split"] for each in samples]
    assert all(
        a != b for a, s in zip(scenes, splits, strict=True) for b, t in zip(scenes, splits, strict=True) if s != t
    )


def test_the_card_says_what_is_there(made):
    folder, built = made
    card = json.loads((folder / "card.json").read_text())
    assert card == json.loads(json.dumps(built.card))
    assert card["samples"]["train"] == {"small": 5, "very_large": 5}
    assert card["bytes"] == sum(each.stat().st_size for each in folder.rglob("*.tar"))
    samples = [each for split in ("train", "validation", "test") for each in SampleFolder(folder / split / "small")]
    share = np.median([each.valid.mean() for each in samples])
    assert card["statistics"]["small"]["valid"]["p50"] == pytest.approx(share)
    assert sum(card["kinds"]["small"].values()) == 8
    length = [np.median(np.hypot(*each.flow)[each.valid]) for each in samples]
    np.testing.assert_allclose(built.statistics["small"]["median"], length, rtol=1e-6)
    assert 0.1 <= card["statistics"]["small"]["peak"]["p5"] <= card["statistics"]["small"]["peak"]["p95"] <= 0.5
    assert 0 < card["statistics"]["small"]["correlation"]["p50"] <= 1
    text = (folder / "README.md").read_text()
    assert all(f"{name}: {said}" in text for name, said in STATISTICS.items())
    assert "| train | 5 | 5 |" in text
    assert {each.name for each in folder.iterdir() if each.is_file()} == set(CARD)
    for picture in ("examples.png", "distributions.png"):
        assert f"({picture})" in text
        assert (folder / picture).read_bytes()[:4] == b"\x89PNG"


def test_a_set_of_other_options_is_not_mixed_in(made, tmp_path):
    with pytest.raises(InputError, match="other options"):
        build_dataset(made[0], OPTIONS.model_copy(update={"seed": 5}))
    with pytest.raises(ConfigurationError, match="no samples"):
        build_dataset(tmp_path, DatasetOptions(train=0, validation=0, test=0))


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """Twelve places with two dates each; two of the places share ground."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(1)
    for k in range(12):
        scene = procedural_scene((200, 200), random).reflectance
        west = 300_000 + 40_000 * k if k else 340_000 + 1_500
        grid = GeoBox((200, 200), Affine(10, 0, west, 0, -10, 4_000_000), "EPSG:32633")
        for date in ("20200101", "20200611"):
            noisy = scene * (1 + 0.03 * random.standard_normal(scene.shape, dtype=np.float32))
            write_image(folder / f"{chr(97 + k) * 4}_{date}_B04.tif", noisy.astype(np.uint16), grid)
    return folder


def test_real_ground_is_never_in_two_splits(sites, tmp_path):
    options = DatasetOptions(
        train=3, validation=2, test=2, scales=("small",), images=str(sites), shares=(1, 1, 1), seed=3, shard=4,
        pair=PairOptions(size=64, kinds={"none": 1}), selection=Selection(least_size=64),
    )  # fmt: skip
    pairs = find_pairs(options)
    assert sum(map(len, pairs.values())) == 12
    boxes = {split: [pair.grid.boundingbox for pair in each] for split, each in pairs.items()}
    for split, own in boxes.items():
        others = [each for name, some in boxes.items() if name != split for each in some]
        assert own
        assert not any(a.left < b.right and b.left < a.right for a in own for b in others)
    built = build_dataset(tmp_path / "set", options, executor="serial")
    for split in ("train", "validation", "test"):
        for sample in SampleFolder(tmp_path / "set" / split):
            assert sample.record["scene"]["pair"]["split"] == split
    assert {each["split"] for each in built.card["sources"]} == {"train", "validation", "test"}
    assert "each image applies" in (tmp_path / "set" / "README.md").read_text()


def test_a_split_without_ground_is_said(sites, tmp_path):
    options = DatasetOptions(
        train=1, validation=1, test=1, scales=("small",), images=str(sites), shares=(1, 0, 0),
        selection=Selection(least_size=64),
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="none of them for validation"):
        build_dataset(tmp_path, options)


@pytest.fixture
def traces(tmp_path):
    """Three lines, one of which is too coarse to be a shape."""
    random = np.random.default_rng(8)
    lines = [10 + np.cumsum(random.uniform(0, 0.02, (count, 2)), axis=0) for count in (9, 3, 6)]
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": each.tolist()}}
        for each in lines
    ]
    path = tmp_path / "faults.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_faults_take_the_shapes_of_a_file_and_the_set_says_so(traces, tmp_path):
    faults = FaultOptions(systems={"several": 1.0}, real=0.5)
    options = DatasetOptions(
        train=5, validation=0, test=0, scales=("large",), seed=1, traces=str(traces),
        pair=PairOptions(size=64, kinds={"earthquake": 1}, faults=faults),
    )  # fmt: skip
    built = build_dataset(tmp_path / "set", options, executor="serial")
    samples = list(SampleFolder(tmp_path / "set"))
    shapes = {fault["trace"] for sample in samples for fault in sample.record["motion"]["faults"]}
    assert shapes == {None, 0, 1}
    assert built.card["traces"] == {"file": str(traces), "lines": 2}
    assert "the file of traces" in built.card["licence"]
    assert "Shapes of 50 % of the faults: 2 lines of faults.geojson" in (tmp_path / "set" / "README.md").read_text()
    alone = dataset_sample(options, "train", "large", 1, traces=find_traces(options))
    assert to_bytes(alone) == to_bytes(next(each for each in samples if each.record["name"] == alone.record["name"]))
    without = dataset_sample(options.model_copy(update={"traces": None}), "train", "large", 1)
    assert not np.array_equal(without.flow, alone.flow)
    traces.write_text(traces.read_text().replace("10.0", "10.1"))
    with pytest.raises(InputError, match="other options"):
        build_dataset(tmp_path / "set", options)


def test_a_file_of_coarse_lines_is_said(traces):
    record = json.loads(traces.read_text())
    record["features"] = record["features"][1:2]
    traces.write_text(json.dumps(record))
    with pytest.raises(InputError, match="no line of 5 vertices"):
        find_traces(DatasetOptions(traces=str(traces)))
