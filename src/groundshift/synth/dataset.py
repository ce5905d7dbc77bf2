"""A set of samples on disk, for training, validation and test: made in shards, the same whoever makes them.

A sample depends on the options, its split, its class of displacement and its number, and nothing else.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundshift.engine import FolderStore, run, run_key, run_record
from groundshift.engine.progress import Report
from groundshift.errors import ConfigurationError, InputError
from groundshift.io import read_traces
from groundshift.io.samples import Sample, sample_name, write_shard
from groundshift.synth.card import by_name, measured, summary, write_card
from groundshift.synth.earthquakes import SCALES
from groundshift.synth.options import PairOptions, Scale
from groundshift.synth.pairs import ProceduralScenes, RealPairs, make_sample
from groundshift.synth.real_pairs import ImagePair, select_pairs
from groundshift.synth.selection import Selection, Split, find_images, group_sites, split_sites
from groundshift.synth.shared import SharedMotion

if TYPE_CHECKING:
    from distributed import Client

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_LEAST_VERTICES = 5  # of a trace that is taken: less is no shape
_VERSION = version("groundshift")
_STATE = ".shards"  # folder in a set: what is done
_CORRELATED = 8  # the correlation is measured on each eighth sample


class DatasetOptions(BaseModel):
    """What a set holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int = Field(90_000, ge=0, description="samples of each class of displacement to train on")
    validation: int = Field(18_000, ge=0, description="the same, to validate on")
    test: int = Field(18_000, ge=0, description="the same, to test on")
    scales: tuple[Scale, ...] = Field(tuple(SCALES), min_length=1, description="classes of displacement")
    pair: PairOptions = Field(PairOptions(), description="what samples are like; its scales are not used")
    seed: int = Field(0, ge=0, description="of everything that is drawn")
    shard: int = Field(256, ge=1, description="samples in a shard")
    scene: int = Field(128, ge=1, description="samples that are cut out of one procedural scene")
    motion: int = Field(4, ge=1, le=8, description="samples that share a motion, turned, mirrored and scaled")
    images: str | None = Field(None, description="folder of images to make samples of; procedural scenes if none")
    selection: Selection = Field(Selection(), description="which pairs of these images are fit")
    shares: tuple[float, float, float] = Field((10, 2, 2), description="of the sites of these images in each split")
    traces: str | None = Field(
        None, description="vector file with lines: their shapes are those of a share of the faults (`pair.faults.real`)"
    )


@dataclass(frozen=True)
class Shard:
    """A unit of work: some samples of one split and class, in one file."""

    index: int
    split: Split
    scale: Scale
    first: int  # number of its first sample
    count: int
    number: int  # of the shard in its folder

    @property
    def path(self) -> str:
        """Path of the file in the set."""
        return f"{self.split}/{self.scale}/{self.number:05d}.tar"


class Built(NamedTuple):
    """A set that was made."""

    card: dict[str, Any]  # as in card.json
    statistics: dict[str, dict[str, np.ndarray]]  # by class, then by name as in `card.STATISTICS`; NaN is not measured


def shards_of(options: DatasetOptions) -> list[Shard]:
    """All shards of a set."""
    shards: list[Shard] = []
    for split in SPLITS:
        for scale in options.scales:
            total = getattr(options, split)
            for number, first in enumerate(range(0, total, options.shard)):
                shards.append(Shard(len(shards), split, scale, first, min(options.shard, total - first), number))
    return shards


def dataset_sample(
    options: DatasetOptions, split: Split, scale: Scale, index: int, *, pairs: tuple[ImagePair, ...] = (),
    traces: Sequence[np.ndarray] = (),
) -> Sample:  # fmt: skip
    """One sample of a set, as the set has it or would have it: for making samples on the fly.

    Parameters
    ----------
    index
        Number of the sample in its split and class, from 0; it may be beyond the number that the set holds.
    pairs
        The real pairs of the split, see :func:`find_pairs`; a procedural scene if none.
    traces
        See :func:`find_traces`.
    """
    place = (SPLITS.index(split), tuple(SCALES).index(scale))
    scene = ProceduralScenes(options.seed, (0, *place, index // options.scene))
    seed = np.random.SeedSequence(options.seed, spawn_key=(1, *place, index))
    pair_options = options.pair.model_copy(update={"scales": {scale: 1.0}})
    motion = SharedMotion(options.seed, (2, *place, index // options.motion), index % options.motion)
    sample = make_sample(pair_options, RealPairs(pairs) if pairs else scene, seed, traces=traces, motions=motion)
    name = sample_name(index, place[1]).removesuffix(".npz")
    return replace(sample, record={"name": name, "split": split, **sample.record})


def find_pairs(options: DatasetOptions) -> dict[Split, tuple[ImagePair, ...]]:
    """The pairs of real images of each split, from the folder of images; no ground is in two of them.

    Raises
    ------
    ConfigurationError
        If a split that should hold samples has no pair.
    """
    if options.images is None:
        return dict.fromkeys(SPLITS, ())
    sites = group_sites(find_images(options.images, options.selection))
    splits = split_sites(sites, options.shares, options.seed)
    selected = select_pairs(sites, options.selection, splits=splits)
    pairs = {split: tuple(pair for pair in selected.pairs if pair.split == split) for split in SPLITS}
    for split in SPLITS:
        if getattr(options, split) and not pairs[split]:
            raise ConfigurationError(
                f"{options.images} has {len(sites)} sites and {len(selected.pairs)} fit pairs, none of them for "
                f"{split}; add images, choose another seed or selection, or ask for 0 samples of {split}"
            )
    return pairs


def find_traces(options: DatasetOptions) -> tuple[np.ndarray, ...]:
    """Shapes of faults, float64 (n, 2), metres to the east and north: the lines of five vertices or more of the file.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such line.
    """
    if options.traces is None:
        return ()
    traces = tuple(each for each in read_traces(options.traces) if len(each) >= _LEAST_VERTICES)
    if not traces:
        raise InputError(f"{options.traces} has no line of {_LEAST_VERTICES} vertices or more; give traces of faults")
    return traces


def build_dataset(
    out: str | Path,
    options: DatasetOptions | None = None,
    *,
    executor: str | Client = "processes",
    workers: int | None = None,
    progress: Report | None = None,
) -> Built:
    """Make a set in a folder, or what of it is not there yet: `out/SPLIT/CLASS/NUMBER.tar`, and its card.

    Each shard is written as a whole or not at all. One that is missing, or not as it was written, is made again, with
    the same bytes. The files of the card are :data:`groundshift.synth.card.CARD`.

    Parameters
    ----------
    executor, workers, progress
        As for :func:`groundshift.engine.run.run`. On a cluster, `out` is a folder that all workers see.

    Raises
    ------
    InputError
        If the folder holds a set of other options, or the images cannot be read.
    ConfigurationError
        If there are no images for a split.
    """
    options, out = options or DatasetOptions(), Path(out).resolve()
    shards = shards_of(options)
    if not shards:
        raise ConfigurationError("a set of no samples was asked for; give a number above 0 for a split")
    inputs = [each for each in (options.images, options.traces) if each]
    key = run_key(inputs, options, _VERSION)
    others = [each.name for each in (out / _STATE).glob("*") if each.is_dir() and each.name != key]
    if others:
        raise InputError(f"{out} holds a set of other options or another version; give another folder, or remove it")
    pairs, traces = find_pairs(options), find_traces(options)
    record = run_record(inputs, options, _VERSION)
    store = _ShardStore(out / _STATE, key, record=record, files={each.index: out / each.path for each in shards})
    with store.lock():
        for leftover in out.glob("*/*/.*.tar.*"):  # of a run that was killed
            shutil.rmtree(leftover)
        run(_MakeShard(out, options, pairs, traces), shards, store=store, executor=executor, workers=workers,
            label="making samples", units="shards", progress=progress)  # fmt: skip
        rows = {scale: [] for scale in options.scales}
        for shard in shards:
            rows[shard.scale].append(store.read(shard.index)["statistics"])
    tables = {scale: np.concatenate(each) for scale, each in rows.items()}
    card = _card(options, shards, tables, pairs, traces, out)
    statistics = {scale: by_name(each) for scale, each in tables.items()}
    write_card(out, card, statistics)
    return Built(card, statistics)


@dataclass(frozen=True)
class _MakeShard:
    """Writes a shard; what it returns says what was written, and how its samples are."""

    out: Path
    options: DatasetOptions
    pairs: Mapping[Split, tuple[ImagePair, ...]]
    traces: tuple[np.ndarray, ...]

    def __call__(self, shard: Shard) -> dict[str, np.ndarray]:
        rows: list[list[float]] = []

        def samples() -> Iterator[Sample]:
            for index in range(shard.first, shard.first + shard.count):
                pairs = self.pairs[shard.split]
                sample = dataset_sample(self.options, shard.split, shard.scale, index, pairs=pairs, traces=self.traces)
                rows.append(measured(sample, correlated=index % _CORRELATED == 0))
                yield sample

        write_shard(self.out / shard.path, samples())
        return {"statistics": np.array(rows), "file": np.array(_fingerprint(self.out / shard.path))}


class _ShardStore(FolderStore):
    """Remembers what is known of each shard; a shard is done if its file is still as it was written."""

    def __init__(self, folder: Path, key: str, *, record: Mapping[str, Any], files: Mapping[int, Path]) -> None:
        super().__init__(folder, key, record=record)
        self.files = files

    def __contains__(self, index: int) -> bool:
        if not super().__contains__(index):
            return False
        size, checksum = self.read(index)["file"]
        path = self.files[index]
        return path.is_file() and path.stat().st_size == size and _fingerprint(path)[1] == checksum

    def _file(self, index: int) -> Path:
        return self.path / f"{index:06d}.state"  # no sample, and not to be taken for one


def _fingerprint(path: Path) -> tuple[int, int]:
    """Size and CRC-32 of a file."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return path.stat().st_size, checksum


def _card(
    options: DatasetOptions, shards: list[Shard], tables: Mapping[str, np.ndarray],
    pairs: Mapping[Split, tuple[ImagePair, ...]], traces: Sequence[np.ndarray], out: Path,
) -> dict[str, Any]:  # fmt: skip
    counts = {split: {scale: getattr(options, split) for scale in options.scales} for split in SPLITS}
    real = [pair.model_dump(mode="json") for split in SPLITS for pair in pairs[split]]
    owned = [*(["each image"] if real else []), *(["the file of traces"] if traces else [])]
    return {
        "made_by": f"groundshift {_VERSION}", "samples": counts,
        "shards": len(shards), "bytes": sum((out / each.path).stat().st_size for each in shards),
        "peaks": {scale: list(SCALES[scale]) for scale in options.scales}, **summary(tables),
        "sources": real or "procedural scenes, made by the program; they show no real place",
        "traces": {"file": str(options.traces), "lines": len(traces)} if traces else None,
        "licence": f"that of {' and '.join(owned)} applies to the samples made of it" if owned
        else "free of the rights of others",
        "options": options.model_dump(mode="json"),
    }  # fmt: skip
