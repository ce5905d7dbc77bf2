"""Samples prepared once and kept in a folder; each time, another crop of them is taken and turned."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundshift.errors import InputError
from groundshift.io.files import atomic_path
from groundshift.io.samples import Sample
from groundshift.train.data import SYMMETRIES, Samples, turned, turned_vector

_COARSE = {"first", "second", "weight", "told", "distance"}
"""Kept with half the digits: images have variance 1, and rounding them errs less than any camera."""


@dataclass(frozen=True)
class Kept:
    """Samples by (epoch, number), as :class:`~groundshift.train.data.Prepared` gives them, where preparing takes long.

    Samples that are made are the same in each epoch.
    """

    samples: Samples
    folder: Path
    crop: int  # side of a random square, pixels
    arrays: Callable[[Sample, np.random.Generator], dict[str, np.ndarray]]
    symmetries: bool = True  # a random one of the eight
    seed: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, np.ndarray]:
        epoch, index = key
        random = np.random.default_rng((self.seed, epoch, index))
        whole = self._whole(index)
        top, left = (int(random.integers(max(each - self.crop, 0) + 1)) for each in whole["valid"].shape)
        cut = {name: each[..., top : top + self.crop, left : left + self.crop] for name, each in whole.items()}
        return symmetric(cut, int(random.integers(SYMMETRIES)) if self.symmetries else 0)

    def _whole(self, index: int) -> dict[str, np.ndarray]:
        path = self.folder / f"{index:06d}.npz"
        if not path.exists():
            found = self.arrays(self.samples[index], np.random.default_rng((self.seed, 0, index)))
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, **{name: _short(each) if name in _COARSE else each for name, each in found.items()})
        try:
            with path.open("rb") as stream, np.load(stream) as kept:
                return {name: each if each.dtype == bool else each.astype(np.float32) for name, each in kept.items()}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{path} cannot be read ({error}); remove it, and it is made anew") from error


def _short(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -6e4, 6e4).astype(np.float16)


def symmetric(arrays: dict[str, np.ndarray], k: int) -> dict[str, np.ndarray]:
    """What the network of the last step takes under a symmetry, see :func:`groundshift.train.data.augmented`."""
    out = {}
    for name, each in arrays.items():
        if name in ("flow", "start"):
            out[name] = turned_vector(each, k)
        elif name == "told":  # a vector, then sizes
            out[name] = np.concatenate([turned_vector(each[at : at + 2], k, signed=at == 0) for at in (0, 2, 4)])
        else:
            out[name] = turned(each, k)
    return out
