"""Changing a store: a tile in place of the one that is there, later dates behind those that are there."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundshift.errors import ContractError
from groundshift.grid.metric import crs_name
from groundshift.io.store.manifest import Manifest, Part, set_name, set_record, tile_names
from groundshift.io.store.read import PointStore
from groundshift.io.store.write import commit, write_parts
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import COLUMNS, OPTIONAL_COLUMNS, header, point_set, series


def replace_tile(root: str | Path, table: pa.Table, *, encoding: str = "auto") -> Manifest:
    """Put a point set, all of it in one tile, in place of what the store has of its set in that tile.

    Raises
    ------
    ContractError
        If the points lie in several tiles, or the set has other dates in the rest of the store.
    """
    names, _ = tile_names(table["easting"].to_numpy(), table["northing"].to_numpy())
    if len(names) != 1:
        raise ContractError(f"the points lie in {len(names)} tiles; give those of one tile, or ingest the whole set")
    return _write(root, [table], encoding, tiles=list(names))


def append_dates(root: str | Path, table: pa.Table, *, encoding: str = "auto") -> Manifest:
    """Put later dates of a set behind those that the store has of it, and compute the fields of all series again.

    Points are the same where their `pid` is. Where new and old dates overlap, the new series is shifted so that both
    have the same mean over the common dates, and the old values are kept there; without common dates it is taken as
    it is. Points of one side alone are NaN on the other's dates. Attributes that are no fields of the series are
    those of the new set, or of the old one where the point is not in the new.

    Raises
    ------
    ContractError
        If the store has no such set, the new dates end before the old ones, or the CRS is another.
    """
    new, store = header(table), PointStore(root)
    name = set_name(new)
    if name not in store.manifest.sets:
        raise ContractError(f"{root} has no set {name}, only {sorted(store.manifest.sets)}; bring it in with ingest")
    days = store.manifest.sets[name].days
    if not new.dates[-1] > days[-1]:
        raise ContractError(
            f"set {name} ends on {days[-1]}, the new dates on {new.dates[-1]}; there is nothing to append"
        )
    parts = [part for part in store.manifest.parts if part.set == name]
    old = pa.concat_tables([_attributes(store, part) for part in parts], promote_options="permissive")
    old_series = np.concatenate([store.series(part.name, np.arange(part.points)) for part in parts])
    all_days = np.union1d(days, new.dates)
    pids = pa.chunked_array([*table["pid"].chunks, *old["pid"].chunks]).unique()
    place_old, place_new = (
        pc.index_in(pids, value_set=each["pid"].combine_chunks()).to_numpy(zero_copy_only=False)
        for each in (old, table)
    )
    values = np.full((len(pids), len(all_days)), np.nan, np.float32)
    is_new, is_old = np.isfinite(place_new), np.isfinite(place_old)
    from_new, from_old = place_new[is_new].astype(int), place_old[is_old].astype(int)
    values[np.ix_(is_new, np.isin(all_days, new.dates))] = series(table)[from_new]
    before = np.full((len(pids), len(days)), np.nan, np.float32)
    before[is_old] = old_series[from_old]
    at_old = np.flatnonzero(np.isin(all_days, days))
    difference = before - values[:, at_old]
    common = np.isfinite(difference)
    shift = np.where(common, difference, 0).sum(axis=1) / np.maximum(common.sum(axis=1), 1)
    values += shift[:, None]
    values[:, at_old] = np.where(np.isfinite(before), before, values[:, at_old])
    columns = {}
    for column in (*COLUMNS[new.level], *OPTIONAL_COLUMNS[new.level]):
        if column in table.column_names:
            both = pa.chunked_array([*table[column].chunks, *_column(old, column, table.schema.field(column).type)])
            columns[column] = both.take(
                pa.array(
                    np.where(is_new, np.nan_to_num(place_new), np.nan_to_num(place_old) + len(table)).astype(np.int64)
                )
            )
    fields = series_fields(values, (all_days - all_days[0]).astype(float))._asdict()
    columns |= {field: fields[field] for field in fields if field in columns}
    merged = point_set(
        columns | {"displacement": values}, level=new.level, component=new.component, dates=all_days, crs=new.crs,
        track=new.track, frame=new.frame, provenance=new.provenance,
    )  # fmt: skip
    return _write(root, [merged], encoding)


def _write(root: str | Path, batches: Iterable[pa.Table], encoding: str, tiles: list[str] | None = None) -> Manifest:
    key = uuid.uuid4().hex[:12]
    staged = Path(root) / ".ingest" / key
    try:
        record, parts = write_parts(batches, staged, key=key, encoding=encoding)
        return commit(
            root, staged, {set_name(record): set_record(record)}, parts, crs=crs_name(record.crs), tiles=tiles
        )
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _attributes(store: PointStore, part: Part) -> pa.Table:
    return store.attributes(part.name).drop_columns(["mercator_x", "mercator_y"])


def _column(table: pa.Table, name: str, kind: pa.DataType) -> list[pa.Array]:
    if name in table.column_names:
        return table[name].cast(kind).chunks
    return [pa.nulls(len(table), kind) if pa.types.is_integer(kind) else pa.array(np.full(len(table), np.nan), kind)]
