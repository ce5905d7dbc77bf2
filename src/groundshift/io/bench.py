"""Benchmark cases on disk."""

from __future__ import annotations

import zipfile
import zlib
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
        If there is no case, or a file of one is missing or cannot be read.
    """
    folders = sorted(path.parent for path in Path(folder).glob("*/truth.npz"))
    if not folders:
        raise InputError(f"{folder} holds no case; expected subfolders with pre.tif, post.tif and truth.npz")
    cases = []
    for each in folders:
        for name in ("pre.tif", "post.tif"):
            if not (each / name).exists():
                raise InputError(f"{each} has no {name}; expected pre.tif, post.tif and truth.npz")
        cases.append(BenchCase(each.name, each / "pre.tif", each / "post.tif", *_truth(each / "truth.npz")))
    return cases


def _truth(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as truth:
            found = {name: truth[name] for name in truth.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); expected arrays flow and dist: make it again") from error
    shapes = {name: found[name].shape if name in found else None for name in ("flow", "dist")}
    if shapes["dist"] is None or len(shapes["dist"]) != 2 or shapes["flow"] != (2, *shapes["dist"]):
        raise InputError(f"{path} has arrays {shapes}; expected flow (2, rows, columns) and dist (rows, columns)")
    return found["flow"], found["dist"]
