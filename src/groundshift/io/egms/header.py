"""The XML header beside a table of EGMS: to a mapping that JSON holds, and back."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from groundshift.errors import InputError
from groundshift.kernels.point_codes import PRODUCERS
from groundshift.model.points import Header

_DEPTH = 8


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


def header_of(record: Header, producer: str, day: datetime.date) -> dict[str, Any]:
    """The header for points: that in the provenance if it is of the same level, else what is known.

    Parameters
    ----------
    record
        Of the points.
    producer
        First character of their names.
    day
        Of production.
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
    return start | {key: value for key, value in known.items() if key not in start and record.level != "L3"}


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
