"""What a store holds: sets, parts and their files. A reader sees one manifest or the next, never a mixture."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundshift.errors import InputError, RunError, refused_fields
from groundshift.io.files import write_text
from groundshift.model.points import Header

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None

NAME = "manifest.json"
FORMAT = "groundshift point store 1"
TILE = 100_000.0  # m, side of a tile
KINDS = ("attributes", "series", "overview")


class SetRecord(BaseModel):
    """What holds for every point of a set; :class:`groundshift.model.points.Header`, as JSON has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: str = Field(description="L2a, L2b or L3")
    component: str = Field(description="what the series measure: LOS, U or E")
    track: int | None = Field(description="relative orbit; null for L3")
    frame: str | None = Field(description="part of the track, or tile of L3")
    dates: tuple[str, ...] = Field(description="dates of the series, ISO, increasing")
    provenance: dict[str, Any] = Field(description="where the set comes from")

    @property
    def days(self) -> np.ndarray:
        """The dates, datetime64[D] (n,)."""
        return np.array(self.dates, "datetime64[D]")


class Part(BaseModel):
    """The points of one set in one tile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str = Field(description="name of its set")
    level: str = Field(description="level of its set")
    tile: str = Field(description="south-west corner in units of 100 km, such as E45N17")
    key: str = Field(description="of the writing; a part that is written again has another")
    points: int = Field(description="how many points")
    bounds: tuple[float, float, float, float] = Field(description="west, south, east, north in the store's CRS, m")
    mercator: tuple[int, int, int, int] = Field(description="west, south, east, north in EPSG:3857, cm")

    @property
    def name(self) -> str:
        """LEVEL/TILE/SET, which no other part of the store has."""
        return f"{self.level}/{self.tile}/{self.set}"

    @property
    def writing(self) -> str:
        """LEVEL/TILE/SET.KEY, which no other writing of the part has: numbers of rows hold for it alone."""
        return f"{self.name}.{self.key}"

    def file(self, kind: str) -> str:
        """Path of a file of the part below the store; `kind` is one of :data:`KINDS`."""
        return f"{kind}/level={self.level}/tile={self.tile}/{self.set}.{self.key}.parquet"


class Manifest(BaseModel):
    """All that a store holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(FORMAT, description="name and version of this layout")
    generation: int = Field(0, description="goes up by one with every change")
    crs: str | None = Field(None, description="CRS of eastings and northings: authority and code, or WKT")
    sets: dict[str, SetRecord] = Field({}, description="sets by their names")
    parts: tuple[Part, ...] = Field((), description="parts, ordered by name")


def read_manifest(root: str | Path) -> Manifest:
    """The manifest of a store.

    Raises
    ------
    InputError
        If there is none, or it is of another version or damaged.
    """
    path = Path(root) / NAME
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{root} is no point store ({error}); make one with: groundshift ingest FILES --out {root}"
        ) from error
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise InputError(f"{path} is of format {found!r}; expected {FORMAT!r}: write the store again with this version")
    try:
        return Manifest.model_validate(record)
    except ValidationError as error:
        raise InputError(f"{path} is damaged ({refused_fields(error)}); write the store again") from error


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step."""
    write_text(root / NAME, manifest.model_dump_json() + "\n")


def set_name(header: Header) -> str:
    """Name of a set from what it is: the same product, whenever it is delivered, has the same name."""
    track = "" if header.track is None else f"{header.track:03d}"
    words = [header.level, header.component if header.level == "L3" else "", track, header.frame or ""]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", "_".join(word for word in words if word))


def set_record(header: Header) -> SetRecord:
    """The header of a point set as the manifest keeps it: of the provenance only what is short."""
    egms = header.provenance.get("egms", {})
    short = {key: value for key, value in header.provenance.items() if isinstance(value, str | int | float)}
    release = {key: egms[key] for key in ("years", "version") if key in egms}
    return SetRecord(
        level=header.level,
        component=header.component,
        track=header.track,
        frame=header.frame,
        dates=tuple(header.dates.astype(str).tolist()),
        provenance={**short, **release},
    )


def tile_names(easting: np.ndarray, northing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Names of the tiles that places lie in, and for each place the number of its name; EGMS names its tiles so."""
    east, north = (np.floor(v / TILE).astype(np.int64) for v in (easting, northing))
    codes, which = np.unique(np.stack([east, north]), axis=1, return_inverse=True)
    names = [_side("EW", e) + _side("NS", n) for e, n in codes.T]
    return np.array(names, object), which.ravel()


def _side(letters: str, number: int) -> str:
    return f"{letters[int(number < 0)]}{abs(number):02d}"


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep other writers of the store out; the lock dies with its process."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"another process is changing {root}; wait for it, or end it first") from None
        yield
    finally:
        os.close(descriptor)
