"""Reading the tables of EGMS into point sets, a part at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from groundshift.errors import ContractError, InputError
from groundshift.io.ahead import mapped
from groundshift.io.egms.archive import MAX_BYTES, Opened, lines, open_product
from groundshift.io.egms.dialect import Layout, Style, parse_columns, resaved, style_of
from groundshift.io.egms.header import parse_header, reference_date
from groundshift.io.egms.names import EPSG, parse_name
from groundshift.kernels.decimal_text import BAD_NAME, FINE, NO_NUMBER, TOO_FEW, Fault, Rows, read_rows
from groundshift.model.points import COMPONENTS, INTEGERS, point_set

log = logging.getLogger(__name__)

CRS = f"EPSG:{EPSG}"
_BATCH = 2**23  # bytes of text


def read_batches(
    path: str | Path, *, component: str | None = None, batch_bytes: int = _BATCH, max_bytes: int = MAX_BYTES
) -> Iterator[pa.Table]:
    """Read a product of EGMS (L2a, L2b, L3), a part at a time: memory does not grow with the file.

    Both dialects of columns are understood, and tables that a spreadsheet saved with semicolons or tabs between fields,
    decimal commas or quotes. What the name of the file and the XML header say is kept in the
    metadata, with what is needed to write the same text again: `provenance["egms"]`.

    Parameters
    ----------
    path
        A .zip with a .csv (and .xml), or a .csv; an .xml of the same name beside it is read if the zip has none.
    component
        U or E, for an L3 file whose name does not say it.
    batch_bytes
        Text that is read at once; a point of 200 dates is about 1 kB.
    max_bytes
        Largest table that is taken from a zip.

    Yields
    ------
    Point sets of the same metadata, in the order of the file; one without points if the file has none.
    That a point's name is not in another part too is not checked.

    Raises
    ------
    InputError
        Naming the line or the member, if the file cannot be read as it is.
    """
    path = Path(path)
    with open_product(path, max_bytes=max_bytes) as product:
        parts = lines(product.table, product.title, batch_bytes)
        first = next(parts, b"")
        if (as_delivered := resaved(first)) is not None:
            log.info(
                "%s was saved by another program; its separators, decimals and quotes are understood", product.title
            )
            first, parts = as_delivered(first), map(as_delivered, parts)
        layout = parse_columns(_first_line(first, product.title), product.title)
        numbers = len(layout.columns) - 1, len(layout.dates)
        read = mapped(lambda text: (text, *read_rows(np.frombuffer(text, np.uint8), *numbers)), parts)
        text, *found = next(read, None) or (b"", *read_rows(np.empty(0, np.uint8), *numbers))
        rows = _sound(text, *found, layout, product.title, 2)
        style = style_of(rows, text, layout)
        metadata = _metadata(path, product, layout, style, component)
        line = 2
        while True:
            yield _points(rows, layout, metadata, product.title, line)
            line += len(rows.values)
            following = next(read, None)
            if following is None:
                return
            rows = _sound(*following, layout, product.title, line)
            if (rows.decimals[1] > style.counts(layout)).any():
                log.warning("%s: after line %d are numbers of more decimals than before", product.title, line)


def read_egms(path: str | Path, *, component: str | None = None) -> pa.Table:
    """Read a product of EGMS as one point set; see :func:`read_batches`."""
    tables = list(read_batches(path, component=component))
    table = pa.concat_tables(tables)
    if len(tables) > 1 and len(table["pid"].unique()) != len(table):
        raise InputError(f"{path} holds the name of a point more than once; every point has its own")
    return table


def _first_line(line: bytes, title: str) -> str:
    if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{title}: line 1 is in UTF-16; expected UTF-8 or ASCII: convert it with iconv -t UTF-8")
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{title}: line 1 is not in UTF-8 (byte {error.start}); expected names of columns") from error
    if not text:
        raise InputError(f"{title}: line 1 is empty; expected names of columns, and below one line a point")
    return text


def _sound(text: bytes | memoryview, rows: Rows, fault: Fault, layout: Layout, title: str, line: int) -> Rows:
    """The rows of some text, whose first line has the number `line` in the file, if there is no fault."""
    if fault.kind != FINE:
        raise InputError(_explain(bytes(text), fault, layout, f"{title}: line {line + fault.row}"))
    return rows


def _explain(text: bytes, fault: Fault, layout: Layout, where: str) -> str:
    row = text.split(b"\n", fault.row + 1)[fault.row].rstrip(b"\r").decode("ascii", "replace")
    fields = row.split(",")
    names = [*layout.columns, *(str(each).replace("-", "") for each in layout.dates)]
    if not row.strip():
        return f"{where} is empty; expected {len(names)} fields, as in line 1"
    if fault.kind == BAD_NAME:
        return f"{where} starts with the name {fields[0][:40]!r}; expected letters and digits"
    if fault.kind == NO_NUMBER:
        return f"{where}, column {names[fault.column]!r}: {fields[fault.column][:40]!r} is no number"
    return f"{where} has {'only ' * (fault.kind == TOO_FEW)}{len(fields)} fields; expected {len(names)}, as in line 1"


def _metadata(path: Path, product: Opened, layout: Layout, style: Style, component: str | None) -> dict[str, Any]:
    """What holds for all points of a product: from its name, header and columns, which must agree."""
    name = parse_name(path.name) or parse_name(product.member)
    header = {} if product.header is None else parse_header(product.header, f"the XML header of {path}")
    for level, source in ((name and name.level, "name"), (header.get("product_level"), "XML header")):
        if level and level != layout.level:
            raise InputError(f"{path} is {level} by its {source}, but its columns are those of {layout.level}")
    component = component or (name.component if name else None if layout.level == "L3" else "LOS")
    if component is None:
        raise InputError(
            f"{path} does not say whether it is up or east; name the file as EGMS does "
            "(EGMS_L3_E40N28_100km_U_2018_2022_1.zip), or convert it first with --component U or E"
        )
    if component not in COMPONENTS[layout.level]:
        raise InputError(
            f"{path}: component {component} of {layout.level} is none of {COMPONENTS[layout.level]}; give one of these"
        )
    track = name.track if name else int(header["track"]) if str(header.get("track")).isdigit() else None
    egms: dict[str, Any] = {"text": style._asdict()}
    if name and name.years:
        egms |= {"years": list(name.years), "version": name.version}
    if header:
        egms["header"] = header
    provenance: dict[str, Any] = {"source": path.name, "egms": egms}
    if (day := reference_date(header)) is not None:
        provenance["reference_date"] = str(day)
    return {
        "level": layout.level, "component": component, "dates": layout.dates, "crs": CRS, "track": track,
        "frame": name.frame if name else None, "provenance": provenance,
    }  # fmt: skip


def _points(rows: Rows, layout: Layout, metadata: dict[str, Any], title: str, line: int) -> pa.Table:
    count = len(rows.values)
    pid = pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(rows.name_ends), pa.py_buffer(rows.names)])
    columns: dict[str, Any] = {"pid": pid, "displacement": rows.series}
    for values, name in zip(rows.values.T, layout.names[1:], strict=True):
        columns[name] = values
        if name in INTEGERS:
            if (off := (values != np.rint(values)) & ~np.isnan(values)).any():
                row = int(np.argmax(off))
                raise InputError(f"{title}: line {line + row}, column {name!r}: {values[row]} is no whole number")
            columns[name] = pa.array(values, from_pandas=True)
    try:
        return point_set(columns, **metadata)
    except ContractError as error:
        raise InputError(f"{title}: in lines {line} to {line + count - 1}: {error}") from error
