"""Size, time and SHA-256 of what a run reads, told while the run goes on."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_BLOCK = 1 << 22  # bytes

State = tuple[tuple[str, int, int], ...]  # of each file: name, bytes, time of change in ns


class Fingerprints:
    """What tells the inputs of a run from others. Checksums are made by a thread of their own.

    Parameters
    ----------
    inputs
        Files, folders and addresses. The SHA-256 of a folder is that of lines `NAME SIZE SHA256` of its files, sorted.
    """

    def __init__(self, inputs: Iterable[str | Path]) -> None:
        self._inputs = list(dict.fromkeys(str(each) for each in inputs))
        self._before = {each: _state(Path(each)) for each in self._inputs if not _is_address(each)}
        self._sums: dict[str, str] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="checksums", daemon=True)

    def begin(self) -> None:
        """Start making checksums."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until all are made."""
        if self._thread.ident is not None:
            self._thread.join()

    def stop(self) -> None:
        """Leave those that are not made yet."""
        self._stopped.set()
        self.finish()

    def known(self) -> list[dict[str, Any]]:
        """What is known of each input by now."""
        return [self._said(each) for each in self._inputs]

    def changed(self) -> list[str]:
        """Inputs that are not what they were in the beginning."""
        return [each for each, before in self._before.items() if _state(Path(each)) != before]

    def _said(self, name: str) -> dict[str, Any]:
        if (state := self._before.get(name)) is None:
            return {"address": name}
        times = [time for _, _, time in state]
        return {
            "path": str(Path(name).resolve()),
            "files": len(state),
            "bytes": sum(size for _, size, _ in state),
            "changed": datetime.fromtimestamp(max(times) / 1e9, UTC).isoformat() if times else None,
            "sha256": self._sums.get(name),
        }

    def _work(self) -> None:
        for name, state in self._before.items():
            path = Path(name)
            try:
                found = [(file, size, self._sum(path / file)) for file, size, _ in state]
            except (OSError, InterruptedError):  # it went away, or the run ended; the run itself says what it misses
                continue
            if not path.is_dir() and len(found) == 1:
                self._sums[name] = found[0][2]
            else:
                lines = "".join(f"{file} {size} {checksum}\n" for file, size, checksum in found)
                self._sums[name] = hashlib.sha256(lines.encode()).hexdigest()

    def _sum(self, path: Path) -> str:
        found = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if self._stopped.is_set():
                    raise InterruptedError
                found.update(block)
        return found.hexdigest()


def _is_address(name: str) -> bool:
    return "://" in name or name.startswith("/vsi")


def _state(path: Path) -> State:
    """Names, sizes and times of the files of a folder, or of a file, whose name is empty."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found: list[tuple[str, int, int]] = []
    for file in files:
        try:
            state = file.stat()
        except OSError:
            continue
        if not file.is_dir():
            found.append(("" if file == path else file.relative_to(path).as_posix(), state.st_size, state.st_mtime_ns))
    return tuple(found)
