"""A stack of another program as our own Zarr: window by window, and on from where an earlier run ended."""

from __future__ import annotations

import glob
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import xarray as xr

from groundshift.engine import run, run_key
from groundshift.engine.lock import FolderLock
from groundshift.engine.progress import Report
from groundshift.grid.tiles import Tile, tile_plan
from groundshift.io.files import write_text
from groundshift.io.radar_stack import check_free, lay_out_cube, open_cube, open_stack, put_in_place, write_window
from groundshift.io.stacks import Supplement, files_of, open_any_stack
from groundshift.model.radar_stack import LAYERS

log = logging.getLogger(__name__)

_WINDOW = 512  # lines and pixels that are converted at once
_PARTIAL = 0.95  # of the pixels that another date has: with fewer, a date is said to be partial


def convert_stack(
    path: str | Path,
    out: str | Path,
    *,
    supplement: Supplement | None = None,
    layout: str | None = None,
    report: Report | None = None,
) -> xr.Dataset:
    """Write a stack of any layout as our own Zarr, window by window; opens what was written.

    Memory holds all dates of 512 x 512 pixels at a time. Windows are written into a hidden folder beside `out`, which
    becomes `out` when it is whole: after a run that was killed, the same call writes what is missing.

    Parameters
    ----------
    path, supplement, layout
        See :func:`~groundshift.io.stacks.open_any_stack`.
    out
        Zarr folder; one that is there is replaced at the end.
    report
        Called with the numbers of windows done and of all.

    Raises
    ------
    InputError
        As of :func:`~groundshift.io.stacks.open_any_stack`; if something else than Zarr is at `out`; or if a file is
        truncated. Windows that were finished are kept.
    """
    out, supplement = Path(out).absolute(), supplement or Supplement()
    check_free(out)
    stack = open_any_stack(path, supplement=supplement, layout=layout)
    beside = [each for each in (supplement.baselines, supplement.geometry, supplement.height) if each is not None]
    asked = {"layout": layout, "supplement": supplement}
    key = run_key([*files_of(path), *beside], asked, f"groundshift {version('groundshift')}")
    windows = tile_plan((stack.sizes["y"], stack.sizes["x"]), _WINDOW)
    store = _Windows(out, key, stack, {window.index: window for window in windows})
    with store.lock():
        run(_ReadWindow(stack), windows, store=store, executor="serial", label=f"stack {Path(path).name}",
            units="windows", progress=report)  # fmt: skip
        _say_partial(stack, store.pixels_with_data())
        open_stack(store.cube)  # what is no stack does not take the place of one
        put_in_place(store.cube, out)
        store.clear()
    _say_unfinished(out)
    return open_stack(out)


def _say_unfinished(out: Path) -> None:
    """Warn of what runs with other options or inputs left beside."""
    for done in out.parent.glob(f".{glob.escape(out.name)}.*/done"):
        log.warning("%s holds windows of an unfinished run with other options or inputs; delete it if it is not wanted",
                    done.parent)  # fmt: skip


def _say_partial(stack: xr.Dataset, count: np.ndarray) -> None:
    """Warn of dates that have data on fewer pixels than others: points are only where all dates have data."""
    share = count / max(count.max(), 1)
    if (partial := np.flatnonzero(share < _PARTIAL)).size:
        days = stack["time"].values.astype("datetime64[D]")
        said = ", ".join(f"{days[k]} ({share[k]:.0%})" for k in partial[:5]) + " and others" * (partial.size > 5)
        log.warning(
            "%s: part of the image is missing; points are found only where all dates have data: leave such dates out, "
            "or fetch them again", said,
        )  # fmt: skip


@dataclass(frozen=True)
class _ReadWindow:
    """Step over windows: all that a stack has there."""

    stack: xr.Dataset

    def __call__(self, window: Tile) -> dict[str, np.ndarray]:
        rows, columns = window.box.slices
        part = self.stack[["slc", *LAYERS]].isel(y=rows, x=columns).compute()
        return {name: each.values for name, each in part.data_vars.items()}


class _Windows:
    """Store of finished windows: a Zarr folder that is not whole yet, and a file for each that is written, which has
    the numbers of pixels with data of all dates."""

    shared, lasting = False, True

    def __init__(self, out: Path, key: str, template: xr.Dataset, windows: Mapping[int, Tile]) -> None:
        self._folder = out.with_name(f".{out.name}.{key}")
        self.cube, self._done = self._folder / out.name, self._folder / "done"
        self._template, self._windows, self._lock = template, windows, FolderLock(self._folder)

    def __contains__(self, index: int) -> bool:
        return (self._done / f"{index:06d}").is_file()

    def write(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        write_window(self.cube, arrays, *self._windows[index].box.slices)
        pixels = np.abs(arrays["slc"])
        count = (np.isfinite(pixels) & (pixels > 0)).sum(axis=(1, 2))
        write_text(self._done / f"{index:06d}", " ".join(map(str, count)))

    def pixels_with_data(self) -> np.ndarray:
        """Of each date, int (time,)."""
        return sum(np.array(each.read_text().split(), int) for each in self._done.iterdir() if each.is_file())

    def read(self, index: int) -> dict[str, np.ndarray]:
        rows, columns = self._windows[index].box.slices
        part = open_cube(self.cube)[["slc", *LAYERS]].isel(y=rows, x=columns)
        return {name: each.values for name, each in part.data_vars.items()}

    def clear(self) -> None:
        shutil.rmtree(self._folder)

    @contextmanager
    def lock(self) -> Iterator[None]:
        with self._lock.hold(self._lay_out):
            try:
                yield
            finally:
                with suppress(OSError):
                    if not any(self._done.iterdir()):  # nothing to go on from
                        self.clear()

    def _lay_out(self) -> None:
        """Begin a folder; one that a killed run had just begun is begun again."""
        if self._done.is_dir():
            return
        if self._folder.exists():
            self.clear()
        try:
            lay_out_cube(self.cube, self._template)
            self._done.mkdir()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
