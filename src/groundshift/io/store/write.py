"""Writing into a store: parts beside it first, then all of them in it, in one step."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundshift.errors import ContractError, RunError
from groundshift.io.files import naming
from groundshift.io.store.encode import (
    SCALE,
    TENTHS,
    encode_series,
    hilbert,
    mercator,
    overview,
    series_table,
    write_attributes,
    write_overview,
    write_series,
)
from groundshift.io.store.manifest import (
    KINDS,
    NAME,
    TILE,
    Manifest,
    Part,
    SetRecord,
    locked,
    read_manifest,
    set_name,
    set_record,
    tile_names,
    write_manifest,
)
from groundshift.model.points import Header, header, series


def write_parts(
    batches: Iterable[pa.Table], folder: str | Path, *, key: str, encoding: str = "auto"
) -> tuple[Header, list[Part]]:
    """Write one set as parts below `folder`, which no reader looks into, until :func:`commit` moves them into a store.

    In memory are the attributes of the set and its series as they will lie on disk.

    Parameters
    ----------
    batches
        Checked point sets that together make the set; each has the same header.
    folder
        On the file system of the store.
    key
        Letters and digits that tell this writing from others; the same batches under the same key make the same files.
    encoding
        `int16` (tenths of a millimetre), `float32` (mm), or `auto`: int16 where all series fit.

    Returns
    -------
    The header of the set, and its parts. A set without points has none.

    Raises
    ------
    ContractError
        If the batches differ in their headers or columns, a point's name comes twice in a tile, there are no batches,
        or a series does not fit the encoding.
    """
    record, attributes, values = None, defaultdict(list), defaultdict(list)
    for batch in batches:
        found = header(batch)
        record = record or found
        if set_record(found) != set_record(record) or found.crs != record.crs:
            raise ContractError(f"a batch of set {set_name(record)} has another header than the first; write it apart")
        names, which = tile_names(batch["easting"].to_numpy(), batch["northing"].to_numpy())
        encoded = encode_series(series(batch), encoding)
        rest = batch.drop_columns(["displacement"])
        for number, name in enumerate(names):
            rows = np.flatnonzero(which == number)
            whole = len(rows) == len(batch)
            attributes[name].append(rest if whole else rest.take(pa.array(rows)))
            values[name].append(encoded if whole else encoded[rows])
    if record is None:
        raise ContractError("a set came without a single batch; expected at least one, if without points")
    parts = []
    for tile in sorted(attributes):
        table, stacked = pa.concat_tables(attributes.pop(tile)), _stack(values.pop(tile))
        parts.append(_write_part(table, stacked, record, tile, Path(folder), key))
    return record, parts


def commit(
    root: str | Path,
    staged: str | Path,
    sets: Mapping[str, SetRecord],
    parts: Iterable[Part],
    *,
    crs: str,
    tiles: Iterable[str] | None = None,
) -> Manifest:
    """Move written parts into the store and make them visible, all at once, in place of what it held of these sets.

    Until the manifest is replaced readers see the store as it was. It is safe to call again after a crash.

    Parameters
    ----------
    root
        The store; made if it is not there.
    staged
        Folder that :func:`write_parts` wrote to.
    sets
        Sets by name. What the store had under these names is dropped.
    parts
        What was written.
    crs
        Of eastings and northings.
    tiles
        Drop only what the store had of the sets in these tiles.

    Raises
    ------
    ContractError
        If the store is in another CRS, or a replaced tile has other dates than the rest of its set.
    RunError
        If another process changes the store, or a staged file is gone.
    """
    root, parts, tiles = Path(root), list(parts), None if tiles is None else set(tiles)
    with locked(root):
        old = read_manifest(root) if (root / NAME).exists() else Manifest()
        if old.crs not in (None, crs):
            raise ContractError(
                f"{root} is in {old.crs}, the new points are in {crs}; reproject them or use two stores"
            )
        gone = [p for p in old.parts if p.set in sets and (tiles is None or p.tile in tiles)]
        kept = [p for p in old.parts if p not in gone]
        for name in {p.set for p in kept} & set(sets):
            if old.sets[name].dates != sets[name].dates:
                raise ContractError(f"set {name} has other dates in the store than in the new tiles; ingest all of it")
        for file in (part.file(kind) for part in parts for kind in KINDS):
            _move(Path(staged) / file, root / file)
        merged = {**old.sets, **sets}
        new = Manifest(
            generation=old.generation + 1,
            crs=crs,
            sets={name: merged[name] for name in sorted(merged)},
            parts=tuple(sorted([*kept, *parts], key=lambda part: part.name)),
        )
        write_manifest(root, new)
        needed = {part.file(kind) for part in new.parts for kind in KINDS}
        for file in {part.file(kind) for part in gone for kind in KINDS} - needed:
            (root / file).unlink(missing_ok=True)
    shutil.rmtree(staged, ignore_errors=True)
    return new


def _stack(blocks: list[np.ndarray]) -> np.ndarray:
    """Encoded series in one array; int16 ones as float32 mm where another block is."""
    if len({block.dtype for block in blocks}) > 1:
        empty = [None if b.dtype == np.float32 else b == -(2**15) for b in blocks]
        blocks = [
            b if e is None else np.where(e, np.nan, b / np.float32(SCALE)).astype(np.float32)
            for b, e in zip(blocks, empty, strict=True)
        ]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _write_part(table: pa.Table, values: np.ndarray, record: Header, tile: str, folder: Path, key: str) -> Part:
    if (distinct := pc.count_distinct(table["pid"]).as_py()) != len(table):
        raise ContractError(
            f"set {set_name(record)} names {len(table) - distinct} points twice in tile {tile}; "
            "every point has a pid of its own"
        )
    easting, northing = table["easting"].to_numpy(), table["northing"].to_numpy()
    west, south = np.floor(easting[0] / TILE) * TILE, np.floor(northing[0] / TILE) * TILE
    order = np.argsort(hilbert(easting, northing, (west, south, west + TILE, south + TILE)), kind="stable")
    table, values = table.take(pa.array(order)), values[order]
    x, y = mercator(table["easting"].to_numpy(), table["northing"].to_numpy(), record.crs)
    table = table.append_column("mercator_x", pa.array(x)).append_column("mercator_y", pa.array(y))
    bounds = (easting.min(), northing.min(), easting.max(), northing.max())
    part = Part(
        set=set_name(record),
        level=record.level,
        tile=tile,
        key=key,
        points=len(table),
        bounds=tuple(float(v) for v in bounds),
        mercator=(int(x.min()), int(y.min()), int(x.max()), int(y.max())),
    )
    geo = json.loads(table.schema.metadata[b"geo"])
    geo["columns"]["geometry"]["bbox"] = list(part.bounds)
    described = {"geo": json.dumps(geo), "groundshift": set_record(record).model_dump_json()}
    lists = series_table(table["pid"], values)
    metadata = {
        "dates": json.dumps(record.dates.astype(str).tolist()),
        "component": record.component,
        "unit": "0.1 mm" if lists.column_names[1] == TENTHS else "mm",
    }
    for kind, write in (
        ("attributes", lambda path: write_attributes(path, table, described)),
        ("series", lambda path: write_series(path, lists, metadata)),
        ("overview", lambda path: write_overview(path, overview(x, y, table))),
    ):
        path = folder / part.file(kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with naming(path):
            write(temporary)
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
        temporary.replace(path)
    return part


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except FileNotFoundError:  # moved by a commit that was killed before it wrote the manifest
        if not target.exists():
            raise RunError(f"{source} is gone; start the same command again to write it anew") from None
