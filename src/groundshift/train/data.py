"""Samples as a network takes them: normalised, cropped, turned and flipped, in batches, with torch or without.

Everything random is drawn from (seed, epoch, index) and nothing else, so a run is the same whatever the number of
workers, and the same again when it is resumed.

With torch, :class:`Prepared` is a map-style data set and :class:`Order` its sampler::

    data = Prepared(SampleFolder("set/train"), crop=256)
    order = Order(len(data), seed=1)
    loader = torch.utils.data.DataLoader(data, batch_size=16, sampler=order, num_workers=4, persistent_workers=True)
    for epoch in range(epochs):
        order.set_epoch(epoch)
        for batch in loader: ...

and :func:`iterable` makes one of torch's iterable data sets from samples that are made on the fly.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from groundshift.errors import ConfigurationError, InputError
from groundshift.io.samples import Sample
from groundshift.kernels.robust import TO_SIGMA
from groundshift.synth.dataset import DatasetOptions, dataset_sample, find_pairs, find_traces
from groundshift.synth.real_pairs import ImagePair

SYMMETRIES = 8
LIMIT = 10.0  # standard deviations at which a normalised image is cut off: clouds, glints


class Samples(Protocol):
    """Samples by number; :class:`~groundshift.io.samples.SampleFolder` is one, :class:`Made` another."""

    def __len__(self) -> int:
        """How many there are in an epoch."""
        ...

    def __getitem__(self, index: int, /) -> Sample:
        """The sample of a number from 0."""
        ...


@dataclass(frozen=True)
class Made:
    """Samples made on the fly: `make(index)` gives that of a number, always the same; no epoch repeats another's."""

    make: Callable[[int], Sample]
    length: int  # samples in an epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        return self.make(index)


@dataclass(frozen=True)
class Joined:
    """The samples of several sources, one after the other."""

    parts: tuple[Samples, ...]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise AssertionError  # the length is the sum of the parts


def made(options: DatasetOptions) -> Made:
    """The samples to train on of a set that is not on disk, its classes in turn; an epoch has as many as the set."""
    pairs, traces = find_pairs(options.model_copy(update={"validation": 0, "test": 0}))["train"], find_traces(options)
    make = partial(_one_of, options, pairs, traces)
    return Made(make, options.train * len(options.scales))


def _one_of(options: DatasetOptions, pairs: tuple[ImagePair, ...], traces: Sequence[np.ndarray], number: int) -> Sample:
    number, scale = divmod(number, len(options.scales))
    return dataset_sample(options, "train", options.scales[scale], number, pairs=pairs, traces=traces)


def _taken(samples: Samples, epoch: int, index: int) -> Sample:
    """A sample of an epoch: one that is made is another in each."""
    if isinstance(samples, Joined):
        for part in samples.parts:
            if index < len(part):
                return _taken(part, epoch, index)
            index -= len(part)
    return samples[epoch * len(samples) + index if isinstance(samples, Made) else index]


def augmented(sample: Sample, k: int) -> Sample:
    """The sample under one of the 8 symmetries of the square; the ground moves along, so the flow turns too.

    Parameters
    ----------
    k
        `k % 4` quarter turns counter-clockwise, then mirrored left to right if `k` is 4 to 7; 0 changes nothing. It
        is added to the record as `symmetry`; all else in the record is of the sample before.
    """
    if not 0 <= k < SYMMETRIES:
        raise ConfigurationError(f"symmetry {k} was asked for; expected 0 to {SYMMETRIES - 1}")

    rasters = (turned(each, k) for each in (sample.pre, sample.post))
    return Sample(
        *rasters, turned_vector(sample.flow, k), turned(sample.valid, k), turned(sample.distance, k),
        {**sample.record, "symmetry": k},
    )  # fmt: skip


def turned(array: np.ndarray, k: int) -> np.ndarray:
    """The last two axes of an array under a symmetry, see :func:`augmented`."""
    array = np.rot90(array, k % 4, axes=(-2, -1))
    return np.ascontiguousarray(array[..., ::-1] if k >= 4 else array)


def turned_vector(vector: np.ndarray, k: int, *, signed: bool = True) -> np.ndarray:
    """Right and down (2, y, x) under a symmetry: they turn along; without sign if they are sizes."""
    dx, dy = turned(vector, k)
    for _ in range(k % 4):
        dx, dy = dy, -dx if signed else dx  # what pointed down points right, what pointed right points up
    return np.stack([-dx if signed and k >= 4 else dx, dy])


def cropped(sample: Sample, top: int, left: int, size: int) -> Sample:
    """A square of `size` pixels; ground that moves beyond its border is still valid."""
    rows, cols = sample.pre.shape
    if not (0 <= top <= rows - size and 0 <= left <= cols - size):
        raise InputError(
            f"a crop of {size} pixels at row {top}, column {left} is not inside a sample of {rows} x {cols}; "
            "give a smaller crop"
        )
    cut = np.s_[..., top : top + size, left : left + size]
    arrays = {name: getattr(sample, name)[cut] for name in ("pre", "post", "flow", "valid", "distance")}
    return replace(sample, **arrays)


def normalised(image: np.ndarray) -> np.ndarray:
    """An image of any bit depth with median 0 and normalised median absolute deviation 1, float32; NaN becomes 0.

    More than 10 deviations are cut off. Where half of the image has one value, the standard deviation stands in, and
    a constant image becomes 0.
    """
    values = image[np.isfinite(image)].astype(np.float64)
    if values.size == 0:
        return np.zeros(image.shape, np.float32)
    middle = np.median(values)
    scale = TO_SIGMA * np.median(np.abs(values - middle)) or values.std() or 1.0
    out = np.clip((image - middle) / scale, -LIMIT, LIMIT)
    return np.where(np.isfinite(out), out, 0).astype(np.float32)


def arrays_of(sample: Sample, random: np.random.Generator) -> dict[str, np.ndarray]:
    """What a network may take; nothing here is drawn from `random`.

    `images` float32 (2, y, x), each normalised for itself; `flow` float32 (2, y, x), dx right and dy down in pixels on
    the first image, 0 where not valid; `valid` bool (y, x); `distance` float32 (y, x).
    """
    valid = sample.valid & np.isfinite(sample.flow).all(axis=0)
    return {
        "images": np.stack([normalised(sample.pre), normalised(sample.post)]),
        "flow": np.where(valid, sample.flow, 0).astype(np.float32),
        "valid": valid,
        "distance": sample.distance.astype(np.float32),
    }


@dataclass(frozen=True)
class Prepared:
    """Samples as arrays, by number or by (epoch, number): a map-style data set, for torch too.

    By (epoch, number), as :class:`Order` gives them, each epoch crops and turns anew, and :class:`Made` samples are
    new. By number alone it is epoch 0.
    """

    samples: Samples
    crop: int | None = None  # side of a random square, pixels; all of the sample if None
    symmetries: bool = True  # a random one of the eight; samples that are not square are turned by halves only
    seed: int = 0
    arrays: Callable[[Sample, np.random.Generator], dict[str, np.ndarray]] = arrays_of

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, np.ndarray]:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.prepare(_taken(self.samples, epoch, index), epoch, index)

    def prepare(self, sample: Sample, epoch: int, index: int) -> dict[str, np.ndarray]:
        """A sample cropped and turned as that of an epoch and number, as arrays."""
        random = np.random.default_rng((self.seed, epoch, index))
        if self.crop is not None:
            most = [max(each - self.crop, 0) for each in sample.pre.shape]
            top, left = (int(random.integers(each + 1)) for each in most)
            sample = cropped(sample, top, left, self.crop)
        if self.symmetries:
            square = sample.pre.shape[0] == sample.pre.shape[1]
            sample = augmented(sample, int(random.choice(np.arange(0, SYMMETRIES, 1 if square else 2))))
        return self.arrays(sample, random)


class Order:
    """The keys (epoch, number) of one epoch in random order, for :func:`batches` or as a torch sampler.

    Each of several processes that train together gets its own equal share; what does not divide is left out.

    Parameters
    ----------
    length
        Samples in an epoch.
    rank, ranks
        Which process this is, and of how many; those of `torch.distributed` for :func:`distributed`.
    """

    def __init__(self, length: int, *, seed: int = 0, shuffle: bool = True, rank: int = 0, ranks: int = 1):
        if not 0 <= rank < ranks:
            raise ConfigurationError(f"rank {rank} of {ranks} was given; expected 0 to {ranks - 1}")
        self.length, self.seed, self.shuffle, self.rank, self.ranks, self.epoch = length, seed, shuffle, rank, ranks, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length // self.ranks

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        shared = order[: len(self) * self.ranks]
        return iter([(self.epoch, int(index)) for index in shared[self.rank :: self.ranks]])


def batches(data: Prepared, size: int, *, order: Order | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Batches of `size` samples as numpy arrays with a first axis more; the last may be smaller."""
    keys = iter(order if order is not None else Order(len(data), shuffle=False))
    while some := list(itertools.islice(keys, size)):
        parts = [data[key] for key in some]
        yield {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def iterable(data: Prepared, *, epoch: int = 0, rank: int | None = None, ranks: int | None = None) -> Any:
    """A `torch.utils.data.IterableDataset` over the samples in order; for :class:`Made` samples above all.

    Ranks and the workers of a DataLoader share the numbers of an epoch, none twice, each rank equally many. It has
    `set_epoch`, to call before each epoch; workers that persist count epochs by themselves.

    Parameters
    ----------
    rank, ranks
        Those of `torch.distributed` if not given; one process alone is rank 0 of 1.
    """
    torch = _torch()

    class Stream(torch.utils.data.IterableDataset):
        def __init__(self):
            self.epoch = epoch

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __len__(self) -> int:
            return len(data) // place[1]

        def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
            now, self.epoch = self.epoch, self.epoch + 1
            keys = Order(len(data), shuffle=False, rank=place[0], ranks=place[1])
            worker = torch.utils.data.get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            return (data[now, index] for _, index in itertools.islice(keys, first, None, step))

        def __reduce__(self) -> tuple:
            return _iterable, (data, self.epoch, *place)

    place = distributed() if rank is None or ranks is None else (rank, ranks)
    return Stream()


def _iterable(data: Prepared, epoch: int, rank: int, ranks: int) -> Any:
    return iterable(data, epoch=epoch, rank=rank, ranks=ranks)


def distributed() -> tuple[int, int]:
    """Rank of this process and number of ranks in `torch.distributed`; (0, 1) if that is not in use."""
    group = _torch().distributed
    if group.is_available() and group.is_initialized():
        return group.get_rank(), group.get_world_size()
    return 0, 1


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ConfigurationError(
            f"torch cannot be imported ({error}); install it with `pip install groundshift[train]`, or use batches()"
        ) from error
