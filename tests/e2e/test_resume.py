"""A run that is killed goes on where it ended, and gives what an undisturbed run gives."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from groundshift.engine import FolderStore
from groundshift.grid.tiles import tile_plan

TILES = tile_plan((60, 50), 10)

SCRIPT = """
import os, sys, time, uuid
from pathlib import Path
import numpy as np
from groundshift.engine import FolderStore, run
from groundshift.grid.tiles import tile_plan

folder, marks, executor, seconds = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])

def step(tile):
    (marks / f"{tile.index}-{os.getpid()}-{uuid.uuid4().hex}").touch()
    time.sleep(seconds)
    return {"values": np.random.default_rng(tile.index).normal(size=(200, 200))}

run(step, tile_plan((60, 50), 10), store=FolderStore(folder, "key"), executor=executor, workers=2)
"""


class Script:
    """The run above as a program of its own, without `if __name__ == "__main__"`, as a user would write it."""

    def __init__(self, folder: Path, executor: str, seconds: float):
        self.marks = folder / "marks"
        self.store = FolderStore(folder, "key")
        (folder / "script.py").write_text(SCRIPT)
        self.marks.mkdir(parents=True, exist_ok=True)
        self.command = [sys.executable, folder / "script.py", folder, self.marks, executor, str(seconds)]

    def computed(self) -> list[int]:
        return sorted(int(mark.name.split("-")[0]) for mark in self.marks.iterdir())

    def worker_processes(self) -> set[int]:
        return {int(mark.name.split("-")[1]) for mark in self.marks.iterdir()}

    def content(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.store.path.iterdir()}


def ended(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_killed_run_goes_on_and_gives_the_same_bytes(tmp_path, executor):
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    calm = Script(tmp_path / "calm", executor, 0)
    subprocess.run(calm.command, check=True)
    assert calm.computed() == [tile.index for tile in TILES]

    killed = Script(tmp_path / "killed", executor, 0.1)
    with subprocess.Popen(killed.command) as run:
        wait_until(lambda: sum(tile.index in killed.store for tile in TILES) >= 5)
        run.kill()
    wait_until(lambda: all(ended(process) for process in killed.worker_processes()))

    finished = {tile.index for tile in TILES if tile.index in killed.store}
    assert 5 <= len(finished) < len(TILES)
    for mark in killed.marks.iterdir():
        mark.unlink()
    subprocess.run(killed.command, check=True)
    assert killed.computed() == [tile.index for tile in TILES if tile.index not in finished]
    assert killed.content() == calm.content()
