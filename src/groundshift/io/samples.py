"""Training samples on disk: single .npz files, and .tar shards of them, read one by one or in any order.

The arrays are named as in the FaultDeform set of T. Montagnon et al., so that its readers read ours and ours its own:
`int_array_1` and `int_array_2` (images before and after), `float_array_1` and `float_array_2` (displacement toward the
east and toward the north, pixels). Ours besides, which others ignore: `valid`, `distance`, `record`.

Which sign, and on which image: nowhere said with the set. The public training code (jbertrand89/microflow_model,
`warping_utils.py`) warps the image after back to the one before by v(x) = d(x + v(x)) with d = (east, −north). So
east is positive to the right and north is positive up, and a label belongs to the pixel of the *second* image at which
its ground arrived. Ours belong to the first image, and the record says so; labels of files without a record are
brought to the first image here, when they are read.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import ndimage

from groundshift.errors import InputError
from groundshift.io.files import atomic_path, jsonable

_LABEL = "label_on"  # entry of the record on disk: the image whose pixels the displacement belongs to
_NO_REPEATS = ("int_array_1", "int_array_2", "float_array_1", "float_array_2")
_STEPS = 50
_PRECISION = 1e-3  # pixels
_BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, tarfile.TarError)


@dataclass(frozen=True)
class Sample:
    """Two images and the true displacement between them."""

    pre: np.ndarray  # uint16 or float32 (y, x): the image before
    post: np.ndarray  # the same: the image after
    flow: np.ndarray  # float32 (2, y, x): dx right, dy down, pixels, on the first image
    valid: np.ndarray  # bool (y, x): both images show the ground and the displacement is known, on the first image
    distance: np.ndarray  # float32 (y, x): pixels to the trace; NaN if not known
    record: Mapping[str, Any] = field(default_factory=dict)  # how it was made, for JSON; `name` names it in a shard

    def __post_init__(self):
        shape = self.pre.shape
        shapes = {"post": self.post.shape, "flow": self.flow.shape[1:], "valid": self.valid.shape,
                  "distance": self.distance.shape}  # fmt: skip
        wrong = {name: each for name, each in shapes.items() if each != shape}
        if len(shape) != 2 or wrong or self.flow.shape[0] != 2:
            raise InputError(
                f"a sample has pre {shape}, flow {self.flow.shape} and {wrong or 'the rest alike'}; "
                "expected (y, x) for all and (2, y, x) for flow"
            )


def sample_name(index: int, scale: int) -> str:
    """Name of a sample's file in FaultDeform: number of the sample, and 0 to 3 for its class of displacement."""
    return f"{index:06d}_{scale}_sample.npy.npz"


def to_bytes(sample: Sample, *, label_on: Literal["first", "second"] = "first", compress: bool = True) -> bytes:
    """A sample as the bytes of an .npz file; the same sample gives the same bytes.

    Parameters
    ----------
    label_on
        Image whose pixels the displacement on disk belongs to. `first` is exact. `second` is what code that was
        written for FaultDeform expects; across a jump that opened a gap the nearest side is given.
    compress
        Deflate, quickly.
    """
    flow = sample.flow if label_on == "first" else _moved(sample.flow, -1)[0]
    arrays = {
        "int_array_1": sample.pre,
        "int_array_2": sample.post,
        "float_array_1": flow[0].astype(np.float32),
        "float_array_2": -flow[1].astype(np.float32),
        "valid": sample.valid.astype(bool),
        "distance": sample.distance.astype(np.float32),
        "record": np.array(json.dumps(jsonable({**sample.record, _LABEL: label_on}), sort_keys=True).encode()),
    }
    return _zipped({name: _plain(array) for name, array in arrays.items()}, compress)


def _plain(array: np.ndarray) -> bytes:
    """The bytes of an .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
    return buffer.getvalue()


def _zipped(entries: Mapping[str, bytes], compress: bool) -> bytes:
    """A .zip file with NAME.npy for each entry, of 1980 and alike on all systems.

    :mod:`zipfile` cannot choose how each entry is deflated: images and displacement repeat nothing but their runs of
    one value, and looking for more takes longer than all else.
    """
    files, directory = io.BytesIO(), io.BytesIO()
    for name, plain in entries.items():
        data, path = plain, f"{name}.npy".encode()
        if compress:
            strategy = zlib.Z_RLE if name in _NO_REPEATS else zlib.Z_DEFAULT_STRATEGY
            deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=strategy)
            data = deflate.compress(plain) + deflate.flush()
        method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        about = struct.pack("<5H3I2H", 20, 0, method, 0, 0x21, zlib.crc32(plain), len(data), len(plain), len(path), 0)
        system, rights = 3, 0o644 << 16
        directory.write(b"PK\1\2" + struct.pack("<BB", 20, system) + about)
        directory.write(struct.pack("<3H2I", 0, 0, 0, rights, files.tell()) + path)
        files.write(b"PK\3\4" + about + path + data)
    size, count = directory.tell(), len(entries)
    end = struct.pack("<4H2IH", 0, 0, count, count, size, files.tell(), 0)
    return files.getvalue() + directory.getvalue() + b"PK\5\6" + end


def from_bytes(data: bytes, *, source: str = "sample") -> Sample:
    """A sample from the bytes of an .npz file; `source` names it in errors.

    A file without our own arrays is one of FaultDeform: it is valid where all is finite and its labels can be brought
    to the first image (not where a jump opened a gap on the second), its distance is NaN and its record empty.

    Raises
    ------
    InputError
        If these are not the bytes of a sample, or not all of them.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            pre, post = file["int_array_1"], file["int_array_2"]
            flow = np.stack([file["float_array_1"], -file["float_array_2"]]).astype(np.float32)
            record = json.loads(file["record"].item()) if "record" in file else {}
            finite = np.isfinite(pre) & np.isfinite(post) & np.isfinite(flow).all(axis=0)
            valid = file["valid"].astype(bool) if "valid" in file else finite
            distance = file["distance"] if "distance" in file else np.full(pre.shape, np.nan, np.float32)
        if record.pop(_LABEL, "second") == "second":
            flow, found = _moved(flow, 1)
            valid = valid & found
        return Sample(pre, post, flow, valid, distance, record)
    except _BROKEN as error:
        raise InputError(
            f"{source} is no sample, or truncated ({' '.join(str(error).split())}); expected an .npz file with "
            "int_array_1, int_array_2, float_array_1 and float_array_2, all (y, x): make or fetch it again"
        ) from error


def write_sample(path: str | Path, sample: Sample, **options: Any) -> None:
    """Write one .npz file, all of it or nothing; `options` as for :func:`to_bytes`."""
    data = to_bytes(sample, **options)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_sample(path: str | Path) -> Sample:
    """Read one .npz file. See :func:`from_bytes`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected a sample, an .npz file") from error
    return from_bytes(data, source=str(path))


def write_shard(path: str | Path, samples: Iterable[Sample], **options: Any) -> int:
    """Write samples one after the other to a .tar file, all of it or nothing; returns their number.

    Each becomes a file `NAME.npz`, NAME being `record["name"]` or its number in the shard. One sample at a time is in
    memory, and the same samples give the same bytes. `options` as for :func:`to_bytes`.
    """
    names: set[str] = set()
    with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as shard:
        for number, sample in enumerate(samples):
            name = str(sample.record.get("name", f"{number:06d}"))
            if name in names:
                raise InputError(f"{path} would hold two samples named {name!r}; expected names that differ")
            names.add(name)
            data = to_bytes(sample, **options)
            entry = tarfile.TarInfo(f"{name}.npz")  # of nobody, 1970
            entry.size = len(data)
            shard.addfile(entry, io.BytesIO(data))
    return len(names)


def read_shard(path: str | Path) -> Iterator[Sample]:
    """The samples of a .tar file in order; one at a time is in memory.

    Raises
    ------
    InputError
        If it is no .tar file, or truncated; said before the first sample.
    """
    path = Path(path)
    for place in _members(path):
        yield _read_at(path, place)


def images_of(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Both images of a sample, float32 (y, x): NaN without data."""
    pre, post = (np.where(each > 0, each, np.nan).astype(np.float32) for each in (sample.pre, sample.post))
    return pre, post


class SampleFolder:
    """All samples in the .npz files and .tar shards of a folder and the folders in it, in order of their paths.

    `len(folder)`, `folder[i]`, iteration. Only places are kept in memory; it can be pickled, and read from several
    processes and threads at once.

    Raises
    ------
    InputError
        If there is no sample, or a shard is truncated.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.paths = sorted(
            each
            for each in self.folder.rglob("[!.]*")
            if each.suffix in (".npz", ".tar") and not each.parent.name.startswith(".")  # those are not finished
        )
        places = []
        for number, path in enumerate(self.paths):
            members = _members(path) if path.suffix == ".tar" else [_Place(0, path.stat().st_size)]
            places += [(number, *place) for place in members]
        if not places:
            raise InputError(f"{folder} holds no sample; expected .npz files or .tar shards of them")
        self._places = np.array(places, np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        file, offset, size = map(int, self._places[index])
        return _read_at(self.paths[file], _Place(offset, size))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


class _Place(NamedTuple):
    offset: int  # bytes from the beginning of the file
    size: int


def _members(path: Path) -> list[_Place]:
    """Where the .npz files of a shard are, which must have the two empty blocks at the end of every .tar."""
    try:
        with path.open("rb") as file:
            file.seek(-2 * tarfile.BLOCKSIZE, io.SEEK_END)
            if any(file.read()):
                raise EOFError("no end-of-archive blocks")
        with tarfile.open(path, "r:") as shard:
            return [_Place(each.offset_data, each.size) for each in shard if each.name.endswith(".npz")]
    except _BROKEN as error:
        raise InputError(
            f"{path} is no shard of samples, or truncated ({error}); expected a .tar of .npz files: fetch it again"
        ) from error


def _read_at(path: Path, place: _Place) -> Sample:
    with path.open("rb") as file:
        file.seek(place.offset)
        return from_bytes(file.read(place.size), source=f"{path} at byte {place.offset}")


def _moved(flow: np.ndarray, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels on the pixels of the other image: u(x) = flow(x + sign · u(x)), and where that was solved to 1e-3 pixels.

    From the second image to the first with sign 1, and back with −1; bilinear between pixels, by fixed-point iteration
    that is damped toward its end.
    """
    rows, cols = np.indices(flow.shape[1:], dtype=np.float32)
    found = np.isfinite(flow).all(axis=0)
    known = np.where(np.isfinite(flow), flow, 0)
    out = known.copy()
    best, least = out.copy(), np.full(rows.shape, np.inf, np.float32)
    for step in range(_STEPS):
        places = (rows + sign * out[1], cols + sign * out[0])
        there = np.stack([ndimage.map_coordinates(each, places, order=1, mode="nearest") for each in known])
        miss = np.hypot(*(there - out))
        better = miss < least
        best[:, better], least[better] = out[:, better], miss[better]
        if least.max() < _PRECISION:
            break
        out += (1.0 if step < _STEPS // 2 else 0.7) * (there - out)
    return best, found & (least < _PRECISION)
