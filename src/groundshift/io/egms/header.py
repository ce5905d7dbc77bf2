"""The XML header beside a table of EGMS: to a mapping that JSON holds, and back."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np

from groundshift.errors import InputError
from groundshift.kernels.point_codes import PRODUCERS
from groundshift.model.points import Header

_DEPTH = 8
_DAY = re.compile(
    r"(?:^|_)(\d{4})(\d{2})(\d{2})(?:T|$)"
)  # of an image: its `date`, or in the name of a Sentinel-1 product


def parse_header(text: bytes, title: str) -> dict[str, Any]:
    """The elements of a header: text, mappings, and lists where an element comes more than once.

    Raises
    ------
    InputError
        If it is no XML in UTF-8 with the root BURST or TILE, declares entities, or is nested deeply.
    """
    try:
        decoded = text.decode("utf-8-sig")
        if "<!DOCTYPE" in decoded or "<!ENTITY" in decoded:
            raise InputError(f"{title} declares a document type; a header has none: it is not to be trusted")
        root = ElementTree.fromstring(decoded)
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{title} cannot be read as XML in UTF-8 ({error}): fetch it again") from error
    if root.tag not in ("BURST", "TILE"):
        raise InputError(f"{title} has the root {root.tag!r}; expected BURST (L2a, L2b) or TILE (L3)")
    content = _content(root, title)
    return content if isinstance(content, dict) else {}


def write_header(content: Mapping[str, Any], level: str) -> bytes:
    """The XML of a mapping that :func:`parse_header` gave."""
    root = _element("TILE" if level == "L3" else "BURST", content)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def header_of(record: Header, producer: str, day: datetime.date, clusters: Iterable[int] = ()) -> dict[str, Any]:
    """The header for points: that in the provenance if it is of the same level, else what is known.

    Where the names of the images are not known, their dates stand for them: `reference` has that of the reference image
    of the stack (`reference_date` in the provenance), `dataset` those of the series.

    Parameters
    ----------
    record
        Of the points.
    producer
        First character of their names.
    day
        Of production.
    clusters
        Labels of the clusters that the points are of.
    """
    known = dict(record.provenance.get("egms", {}).get("header") or {})
    if known.get("product_level") == record.level:
        return known
    start: dict[str, Any] = {"product_level": record.level}
    if record.level != "L3" and record.track is not None and record.frame:
        cycle, swath, _ = record.frame.split("_")
        start |= {"track": f"{record.track:03d}", "burst_id": cycle, "sub_swath": swath[2:]}
    facility = producer if producer in map(str, PRODUCERS.values()) else "0"
    start |= {"production_facility": facility, "production_date": f"{day:%d/%m/%Y}"}
    if record.level == "L3":
        return start
    start |= {key: value for key, value in known.items() if key not in start and key != "clusters"}
    if labels := sorted(set(clusters)):
        start["clusters"] = {"cluster_label": labels}
    images = {"reference": record.provenance.get("reference_date"), "dataset": record.dates}
    made = {name: _images(dates) for name, dates in images.items() if dates is not None and name not in start}
    return start | made


def reference_date(content: Mapping[str, Any]) -> np.datetime64 | None:
    """Day of the reference image that a header names, by its date or in the name of its product; None if none."""
    images = content.get("reference")
    images = images.get("image") if isinstance(images, Mapping) else None
    for image in images if isinstance(images, list) else [images]:
        for name in ("date", "product_id"):
            found = _DAY.search(str(image.get(name, ""))) if isinstance(image, Mapping) else None
            if found:
                try:
                    return np.datetime64("-".join(found.groups()), "D")
                except ValueError:
                    continue
    return None


def _images(dates: Any) -> dict[str, Any]:
    days = np.atleast_1d(np.asarray(dates, "datetime64[D]")).astype(str)
    return {"image": [{"date": day.replace("-", "")} for day in days.tolist()]}


def _content(element: ElementTree.Element, title: str, depth: int = 0) -> Any:
    if depth > _DEPTH:
        raise InputError(f"{title} is nested more than {_DEPTH} deep; a header is not")
    if not len(element):
        return (element.text or "").strip()
    result: dict[str, Any] = {}
    for child in element:
        value = _content(child, title, depth + 1)
        if child.tag not in result:
            result[child.tag] = value
        elif isinstance(result[child.tag], list):
            result[child.tag].append(value)
        else:
            result[child.tag] = [result[child.tag], value]
    return result


def _element(name: str, content: Any) -> ElementTree.Element:
    element = ElementTree.Element(name)
    if not isinstance(content, Mapping):
        element.text = str(content) or None
        return element
    for key, value in content.items():
        for each in value if isinstance(value, list) else [value]:
            element.append(_element(key, each))
    return element
