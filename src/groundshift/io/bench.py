"""Benchmark cases on disk."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError


class BenchCase(NamedTuple):
    """Two images and the true displacement between them."""

    name: str
    pre: Path
    post: Path
    flow: np.ndarray  # float (2, y, x): dx right, dy down, pixels, on the first image
    distance: np.ndarray  # float (y, x): pixels to the trace


def load_cases(folder: str | Path) -> list[BenchCase]:
    """All cases of a folder, in order of name: subfolders with `pre.tif`, `post.tif` and `truth.npz` (flow, dist).

    Raises
    ------
    InputError
        If there is no case, or a file of one is missing.
    """
    folders = sorted(path.parent for path in Path(folder).glob("*/truth.npz"))
    if not folders:
        raise InputError(f"{folder} holds no case; expected subfolders with pre.tif, post.tif and truth.npz")
    cases = []
    for each in folders:
        for name in ("pre.tif", "post.tif"):
            if not (each / name).exists():
                raise InputError(f"{each} has no {name}; expected pre.tif, post.tif and truth.npz")
        with np.load(each / "truth.npz", allow_pickle=False) as truth:
            cases.append(BenchCase(each.name, each / "pre.tif", each / "post.tif", truth["flow"], truth["dist"]))
    return cases
