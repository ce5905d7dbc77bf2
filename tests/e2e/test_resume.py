"""A run that is killed goes on where it ended, and gives what an undisturbed run gives."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from groundshift.engine import FolderStore
from groundshift.grid.tiles import tile_plan

TILES = tile_plan((60, 50), 10)
BEFORE = 12  # tiles that end before the run is stopped

SCRIPT = f"""
import os, signal, sys, time, uuid
from pathlib import Path
import numpy as np
from groundshift.engine import FolderStore, run
from groundshift.grid.tiles import tile_plan

folder, executor = Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where a shell has it ignored

def step(tile):
    (folder / "marks" / f"{{tile.index}}-{{os.getpid()}}-{{uuid.uuid4().hex}}").touch()
    while tile.index >= {BEFORE} and (folder / "hold").exists():
        time.sleep(0.01)
    return {{"values": np.random.default_rng(tile.index).normal(size=(200, 200))}}

run(step, tile_plan((60, 50), 10), store=FolderStore(folder, "key"), executor=executor, workers=2)
"""


class Script:
    """The run above as a program of its own, without `if __name__ == "__main__"`, as a user would write it."""

    def __init__(self, folder: Path, executor: str):
        (folder / "marks").mkdir(parents=True)
        (folder / "script.py").write_text(SCRIPT)
        self.folder = folder
        self.store = FolderStore(folder, "key")
        self.command = [sys.executable, folder / "script.py", folder, executor]

    def stopped(self, number: signal.Signals) -> subprocess.CompletedProcess:
        """Start the run, send it and its children a signal when it can go no further; wait until all have ended."""
        (self.folder / "hold").touch()
        with subprocess.Popen(self.command, start_new_session=True, stderr=subprocess.PIPE, text=True) as run:
            wait_until(lambda: self.finished() == list(range(BEFORE)) and len(self.computed()) > BEFORE)
            if number == signal.SIGKILL:
                run.kill()
            else:
                os.killpg(run.pid, number)
            _, messages = run.communicate(timeout=300)
        processes = {int(mark.name.split("-")[1]) for mark in (self.folder / "marks").iterdir()}
        wait_until(lambda: all(map(ended, processes)))
        (self.folder / "hold").unlink()
        return subprocess.CompletedProcess(self.command, run.returncode, stderr=messages)

    def finished(self) -> list[int]:
        return [tile.index for tile in TILES if tile.index in self.store]

    def computed(self) -> list[int]:
        return sorted(int(mark.name.split("-")[0]) for mark in (self.folder / "marks").iterdir())

    def content(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.store.path.iterdir()}


def ended(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_killed_run_goes_on_and_gives_the_same_bytes(tmp_path, executor):
    calm = Script(tmp_path / "calm", executor)
    subprocess.run(calm.command, check=True)
    assert calm.computed() == [tile.index for tile in TILES]

    killed = Script(tmp_path / "killed", executor)
    killed.stopped(signal.SIGKILL)
    assert killed.finished() == list(range(BEFORE))
    for mark in (killed.folder / "marks").iterdir():
        mark.unlink()
    subprocess.run(killed.command, check=True)
    assert killed.computed() == list(range(BEFORE, len(TILES)))
    assert killed.content() == calm.content()


def test_ctrl_c_ends_all_processes_and_keeps_finished_tiles(tmp_path):
    script = Script(tmp_path / "script", "processes")
    ending = script.stopped(signal.SIGINT)
    assert ending.returncode == -signal.SIGINT
    assert ending.stderr.count("Traceback") == ending.stderr.count("KeyboardInterrupt") == 1
    assert script.finished() == list(range(BEFORE))
