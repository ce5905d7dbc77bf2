"""What can be brought into a store: products of EGMS and point sets in GeoParquet, read a part at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from groundshift.errors import ContractError, InputError
from groundshift.io.egms import name_of
from groundshift.io.point_batches import point_parts, read_any_batches

SUFFIXES = (".zip", ".csv", ".parquet")


class Source(NamedTuple):
    """A file with a point set. `index` numbers it among others, as the engine wants."""

    index: int
    path: Path

    def batches(self) -> Iterator[pa.Table]:
        """Its points, a part at a time, each a checked point set.

        Raises
        ------
        InputError, ContractError
            If the file cannot be read as it is.
        """
        yield from read_any_batches(self.path)


def open_sources(paths: Iterable[str | Path]) -> list[Source]:
    """The files with point sets among files and folders, those of folders by name; nothing is read yet.

    Raises
    ------
    InputError
        If a path does not exist or is of another kind, or there is nothing at all.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += without_copies(sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES))
        elif not path.is_file():
            raise InputError(f"{path} does not exist; expected {', '.join(SUFFIXES)} or a folder of them")
        elif path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path} is no point set; expected {', '.join(SUFFIXES)} or a folder of them")
        else:
            files.append(path)
    if not files:
        raise InputError("no file with points was found; expected products of EGMS (.zip, .csv) or GeoParquet")
    return [Source(index, file.resolve()) for index, file in enumerate(dict.fromkeys(files))]


def without_copies(files: Sequence[Path]) -> list[Path]:
    """Files of a folder, less the zips of EGMS of points that are there as GeoParquet too, as commands write both."""
    copies: set[str] = set()
    if any(each.suffix.lower() == ".zip" for each in files):
        for path in (each for each in files if each.suffix.lower() == ".parquet"):
            with suppress(InputError, ContractError):  # no point set, or one that has no name with EGMS
                copies.add(f"{name_of(point_parts(path).header).stem}.zip")
    return [each for each in files if each.name not in copies]
