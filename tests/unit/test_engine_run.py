import logging
import os
import pickle
import signal
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import NamedTuple

import cloudpickle
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from groundshift.engine import FolderStore, MemoryStore, run
from groundshift.engine.pools import Pool
from groundshift.engine.progress import reporting
from groundshift.engine.run import _as_they_end
from groundshift.engine.task import Task
from groundshift.errors import ConfigurationError, InputError, RunError
from groundshift.grid.tiles import tile_plan

TILES = tile_plan((4, 6), 2)
LOCAL = ["serial", "threads", "processes"]


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path, "key")


def fails_on(index, error):
    def step(tile):
        if tile.index == index:
            raise error
        return {"index": np.array(tile.index)}

    return step


@pytest.mark.parametrize("executor", LOCAL)
def test_failed_tile_is_named_with_its_cause_and_finished_tiles_are_kept(store, executor):
    with pytest.raises(
        RunError, match=r"matching failed on tile 3 \(rows \d+ to \d+, columns \d+ to \d+\): ValueError: odd"
    ) as caught:
        run(fails_on(3, ValueError("odd")), TILES, store=store, executor=executor, workers=1, label="matching")
    assert type(caught.value.__cause__) is ValueError
    finished = [tile.index for tile in TILES if tile.index in store]
    assert finished[:3] == [0, 1, 2]
    assert 3 not in finished
    assert f"go on from the {len(finished)} finished tiles" in str(caught.value)


def test_started_again_after_a_failure_only_the_rest_is_computed(store):
    with pytest.raises(RunError):
        run(fails_on(3, ValueError("odd")), TILES, store=store, executor="serial")
    seen = []
    run(lambda tile: seen.append(tile.index) or {}, TILES, store=store, executor="serial")
    assert seen == [3, 4, 5]


def test_memory_store_does_not_promise_to_go_on():
    with pytest.raises(RunError, match="in memory only"):
        run(fails_on(3, ValueError("odd")), TILES, store=MemoryStore(), executor="serial")


@pytest.mark.parametrize("executor", LOCAL)
def test_error_of_ours_passes_unchanged(store, executor):
    with pytest.raises(InputError, match=r"^no data here$"):
        run(fails_on(2, InputError("no data here")), TILES, store=store, executor=executor, workers=2)


def test_error_of_a_worker_process_shows_where_it_was_raised(store):
    with pytest.raises(RunError, match="odd") as caught:
        run(fails_on(3, ValueError("odd")), TILES, store=store, executor="processes", workers=1)
    [note] = caught.value.__cause__.__notes__
    assert "in step" in note


def test_error_that_cannot_be_pickled_is_still_told(store):
    class AwkwardError(Exception):
        def __init__(self, number, unit):
            super().__init__(f"{number} {unit}")

    def step(tile):
        raise AwkwardError(3, "px")

    with pytest.raises(TypeError, match="missing 1 required"):
        cloudpickle.loads(cloudpickle.dumps(AwkwardError(3, "px")))
    with pytest.raises(RunError, match="AwkwardError: 3 px"):
        run(step, TILES, store=store, executor="processes", workers=1)


def test_worker_killed_once_is_replaced(store, tmp_path, caplog):
    mark = tmp_path / "killed"

    def step(tile):
        if tile.index == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"index": np.array(tile.index)}

    run(step, TILES, store=store, executor="processes", workers=1)
    assert all(tile.index in store for tile in TILES)
    assert "worker process of tile 2 was killed by signal 9" in caplog.text


class Part(NamedTuple):
    """A piece of work that holds arrays."""

    index: int
    points: np.ndarray


class Source(NamedTuple):
    """A piece of work that is a file."""

    index: int
    path: Path


@pytest.mark.parametrize(
    ("tile", "said"), [(Part(0, np.arange(9).reshape(3, 3)), "block 0"), (Source(0, Path("in/a.zip")), "in/a.zip")]
)
def test_a_failure_is_told_in_one_line(store, tile, said):
    with pytest.raises(RunError) as caught:
        run(fails_on(0, ValueError("one\ntwo")), [tile], store=store, executor="serial", units="blocks")
    assert str(caught.value) == (
        f"measuring failed on {said}: ValueError: one two; start the same command again to go on from the 0 finished "
        "blocks"
    )


def test_worker_killed_again_ends_the_run_with_advice(store):
    def step(tile):
        if tile.index == 2:
            os._exit(7)
        return {"index": np.array(tile.index)}

    with pytest.raises(RunError, match=r"tile 2 .*ended with status 7 twice.*fewer workers.*from the 2 finished"):
        run(step, TILES, store=store, executor="processes", workers=1)


def test_what_a_step_prints_does_not_get_among_the_answers(capfd):
    def step(tile):
        os.write(1, b"chatter")
        print("more chatter")  # noqa: T201
        return {"index": np.array(tile.index)}

    store = MemoryStore()
    run(step, TILES, store=store, executor="processes", workers=1)
    assert [int(store.read(tile.index)["index"]) for tile in TILES] == list(range(6))
    assert capfd.readouterr().out == ""


def test_large_arrays_reach_every_worker_and_are_its_own():
    large = np.arange(1 << 18, dtype=np.float64).reshape(512, 512)
    small = np.arange(5.0)
    turned = np.asfortranarray(large)

    def step(tile):
        large[0, 0] += 1
        return {"sum": large.sum() + small.sum() + turned[:, 1].sum(), "changed": large[0, 0], "pid": os.getpid()}

    stores = [MemoryStore(), MemoryStore()]
    for store, workers in zip(stores, (1, 2), strict=True):
        run(step, TILES, store=store, executor="processes", workers=workers)
    tiles = [store.read(tile.index) for store in stores for tile in TILES]
    assert large[0, 0] == 0
    for tile in tiles:
        assert tile["sum"] == large.sum() + tile["changed"] + small.sum() + large[:, 1].sum()
    assert [tile["changed"] for tile in tiles[:6]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("address", [1, 2, 8])
def test_task_that_arrives_at_an_odd_address_has_its_arrays_at_an_even_one(address):
    image = np.arange(100.0)
    image_read_only = np.arange(50.0)
    image_read_only.flags.writeable = False

    def step(tile):
        return {"images": [image, image_read_only]}

    buffers = []
    head = pickle.dumps(Task(step, None), protocol=5, buffer_callback=buffers.append)
    arrived = []
    for buffer in buffers:
        content = buffer.raw().tobytes()
        memory = np.zeros(len(content) + 16, np.uint8)
        start = -memory.ctypes.data % 16 + address
        memory[start : start + len(content)] = np.frombuffer(content, np.uint8)
        memory.flags.writeable = False
        arrived.append(memory.data[start : start + len(content)])
    for found, sent in zip(
        pickle.loads(head, buffers=arrived)(TILES[0])["images"], (image, image_read_only), strict=True
    ):
        assert found.ctypes.data % 16 == 0
        assert found.flags.writeable == sent.flags.writeable
        np.testing.assert_array_equal(found, sent)


@pytest.mark.parametrize("executor", LOCAL)
def test_step_has_one_thread_for_linear_algebra(executor):
    before = [pool["num_threads"] for pool in threadpool_info()]
    store = MemoryStore()
    run(lambda tile: {"threads": [pool["num_threads"] for pool in threadpool_info()]}, TILES, store=store,
        executor=executor, workers=2)  # fmt: skip
    for tile in TILES:
        assert set(store.read(tile.index)["threads"]) == {1}
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_never_more_in_flight_than_the_limit():
    flying, most = [], []

    def submit(tile):
        flying.append(futures.Future())
        most.append(len(flying))
        return flying[-1]

    def wait(pending, return_when):
        assert set(pending) == set(flying)
        future = flying.pop(0)
        future.set_result(None)
        return {future}, set(flying)

    pool = Pool(submit, wait, lambda: 4, "")
    assert [tile.index for tile, _ in _as_they_end(pool, tile_plan((20, 1), 1))] == list(range(20))
    assert max(most) == 4


def test_interrupt_leaves_finished_tiles_and_frees_the_lock(store):
    def step(tile):
        if tile.index == 3:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        run(step, TILES, store=store, executor="serial")
    assert [tile.index for tile in TILES if tile.index in store] == [0, 1, 2]
    with FolderStore(store.path.parent, "key").lock():
        pass


def test_interrupt_ends_busy_worker_processes(store, tmp_path):
    def step(tile):
        if tile.index:
            (tmp_path / "busy").write_text(str(os.getpid()))
            threading.Event().wait(600)
        return {}

    def interrupt(done, total):
        while not (tmp_path / "busy").exists():
            threading.Event().wait(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(step, TILES, store=store, executor="processes", workers=1, progress=interrupt)
    assert 0 in store
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "busy").read_text()), 0)


def test_second_run_on_the_same_store_is_refused(store):
    with FolderStore(store.path.parent, "key").lock(), pytest.raises(RunError, match="is at work on the same run"):
        run(fails_on(None, None), TILES, store=store, executor="serial")


@pytest.mark.parametrize(
    ("tiles", "options", "message"),
    [
        (TILES, {"executor": "cluster"}, "'cluster' is unknown"),
        (TILES, {"workers": 0}, "0 workers"),
        ([*TILES, TILES[0]], {}, "same index"),
    ],
)
def test_options_that_make_no_sense_are_refused(tiles, options, message):
    with pytest.raises(ConfigurationError, match=message):
        run(fails_on(None, None), tiles, store=MemoryStore(), **options)


def test_progress_is_told_after_each_tile_and_counts_what_was_there():
    store = MemoryStore()
    store.write(4, {})
    told = []
    run(fails_on(None, None), TILES, store=store, executor="serial", progress=lambda *state: told.append(state))
    assert told == [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def test_log_has_a_line_for_each_tenth(caplog):
    with caplog.at_level(logging.INFO), reporting("matching", None, done=50, total=250) as report:
        for done in range(51, 251):
            report(done, 250)
    assert [record.message.split(" of")[0] for record in caplog.records] == [
        f"matching: {done}" for done in range(75, 251, 25)
    ]


def test_log_and_errors_call_the_units_as_the_caller_does(caplog):
    with caplog.at_level(logging.INFO):
        run(fails_on(None, None), TILES, store=MemoryStore(), executor="serial", label="making samples", units="shards")
    said = [record.message for record in caplog.records]
    assert said[0].startswith("making samples: 6 of 6 shards to go")
    assert said[-1].startswith("making samples: 6 of 6 shards in ")
    with pytest.raises(RunError, match="the 0 finished shards are in memory"):
        run(fails_on(0, ValueError()), TILES, store=MemoryStore(), executor="serial", units="shards")


class Terminal:
    """Stands in for standard error."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize(("patience", "shown"), [(0.0, True), (60.0, False)])
def test_bar_shows_only_when_it_takes_long(monkeypatch, patience, shown):
    monkeypatch.setattr("groundshift.engine.progress._QUIET_SECONDS", patience)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with reporting("matching", None, done=1, total=3) as report:
        while shown and "1/3" not in sys.stderr.text:
            threading.Event().wait(0.01)
        report(3, 3)
    assert ("matching" in sys.stderr.text) == shown
    assert ("3/3" in sys.stderr.text) == shown
