"""Bringing point sets into a store: every file apart, on as many workers as there are, then all at once visible."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import groundshift
from groundshift.engine import FolderStore, run, run_key
from groundshift.engine.progress import Report
from groundshift.errors import InputError
from groundshift.grid.metric import crs_name
from groundshift.io.store import Manifest, Part, SetRecord, Source, commit, open_sources, write_parts
from groundshift.io.store.manifest import set_name, set_record

if TYPE_CHECKING:
    from distributed import Client


def ingest(
    paths: Iterable[str | Path],
    out: str | Path,
    *,
    encoding: str = "auto",
    executor: str | Client = "processes",
    workers: int | None = None,
    progress: Report | None = None,
) -> Manifest:
    """Bring products of EGMS and point sets into a store; what it had of the same sets is replaced.

    Each file is written beside the store by one worker, and all of them become visible in one step at the end: who
    reads meanwhile sees the store as it was. A run that was killed goes on from its finished files when it is started
    again. Memory grows with the largest file, not with all of them.

    Parameters
    ----------
    paths
        Files (.zip and .csv of EGMS, GeoParquet point sets) and folders of them.
    out
        The store; made if it is not there. On a cluster, a folder that every worker sees under the same path.
    encoding
        Of series: `int16` tenths of a millimetre, `float32` mm, or `auto`, which takes int16 where they fit.
    executor, workers, progress
        See :func:`groundshift.engine.run.run`.

    Raises
    ------
    InputError
        If a file cannot be read, or two hold the same set.
    ContractError
        If sets differ in their CRS, or a file breaks the contract of a point set.
    RunError
        If a worker fails; see :func:`groundshift.engine.run.run`.
    """
    sources, out = open_sources(paths), Path(out).resolve()
    key = run_key([each.path for each in sources], {"encoding": encoding}, groundshift.__version__)
    finished = FolderStore(out / ".ingest", key)
    staged = finished.path / "parts"
    with finished.lock():
        step = Ingestion(staged, key[:12], encoding)
        run(step, sources, store=finished, executor=executor, workers=workers, label="ingesting", units="files",
            progress=progress)  # fmt: skip
        records = [json.loads(finished.read(each.index)["record"].tobytes()) for each in sources]
        _check_apart(records, sources)
        manifest = commit(
            out,
            staged,
            {each["name"]: SetRecord.model_validate(each["set"]) for each in records},
            [Part.model_validate(part) for each in records for part in each["parts"]],
            crs=records[0]["crs"],
        )
        finished.clear()
    return manifest


@dataclass(frozen=True)
class Ingestion:
    """The step of one file; its result is the JSON of what it wrote."""

    staged: Path
    key: str
    encoding: str

    def __call__(self, source: Source) -> dict[str, np.ndarray]:
        """Write the parts of one file."""
        record, parts = write_parts(source.batches(), self.staged, key=self.key, encoding=self.encoding)
        result = {
            "name": set_name(record),
            "crs": crs_name(record.crs),
            "set": set_record(record).model_dump(),
            "parts": [part.model_dump() for part in parts],
        }
        return {"record": np.frombuffer(json.dumps(result).encode(), np.uint8)}


def _check_apart(records: list[dict], sources: list[Source]) -> None:
    names = Counter(each["name"] for each in records)
    for name, count in names.items():
        if count > 1:
            files = [str(s.path) for s, each in zip(sources, records, strict=True) if each["name"] == name]
            raise InputError(f"{count} files hold the set {name}: {', '.join(files)}; ingest one of them, or give "
                             "the points a track and a frame of their own")  # fmt: skip
    if len(crs := {each["crs"] for each in records}) > 1:
        raise InputError(f"the files are in {len(crs)} CRSs ({', '.join(sorted(crs))}); a store has one: use one a CRS")
