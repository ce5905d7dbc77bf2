"""What can be brought into a store: products of EGMS and point sets in GeoParquet, read a part at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from groundshift.errors import InputError
from groundshift.io.egms import read_batches
from groundshift.model.points import check

SUFFIXES = (".zip", ".csv", ".parquet")
_ROWS = 65_536


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
        if self.path.suffix.lower() != ".parquet":
            yield from read_batches(self.path)
            return
        try:
            with pq.ParquetFile(self.path) as file:
                schema, empty = file.schema_arrow, True
                for batch in file.iter_batches(_ROWS):
                    empty = False
                    yield _checked(pa.Table.from_batches([batch]))
                if empty:
                    yield _checked(schema.empty_table())
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{self.path} cannot be read as Parquet ({error}): write it again") from error


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
            files += sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
        elif not path.is_file():
            raise InputError(f"{path} does not exist; expected {', '.join(SUFFIXES)} or a folder of them")
        elif path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path} is no point set; expected {', '.join(SUFFIXES)} or a folder of them")
        else:
            files.append(path)
    if not files:
        raise InputError("no file with points was found; expected products of EGMS (.zip, .csv) or GeoParquet")
    return [Source(index, file.resolve()) for index, file in enumerate(dict.fromkeys(files))]


def _checked(table: pa.Table) -> pa.Table:
    check(table)
    return table
