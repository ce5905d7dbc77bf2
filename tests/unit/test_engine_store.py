import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from groundshift.engine import FolderStore, MemoryStore
from groundshift.errors import RunError

ARRAYS = {"dx": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3), "reason": np.zeros((2, 3), np.uint8)}


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path, "key", record={"version": "1.2"})


def write(store, index=3, arrays=ARRAYS):
    with store.lock():
        store.write(index, arrays)


@pytest.fixture(params=["folder", "memory"])
def any_store(request, store):
    return store if request.param == "folder" else MemoryStore()


def test_what_was_written_is_read(any_store):
    assert 3 not in any_store
    write(any_store)
    assert 3 in any_store
    back = any_store.read(3)
    assert list(back) == list(ARRAYS)
    for name, values in ARRAYS.items():
        assert back[name].dtype == values.dtype
        np.testing.assert_array_equal(back[name], values)


def test_nothing_is_left_after_clear(any_store):
    write(any_store)
    any_store.clear()
    assert 3 not in any_store
    with pytest.raises(RunError, match="tile 3"):
        any_store.read(3)


def test_cleared_folder_is_gone(tmp_path):
    one, other = (FolderStore(tmp_path / ".tiles", key) for key in ("one", "other"))
    with one.lock():
        write(other)
        one.clear()
    assert [each.name for each in (tmp_path / ".tiles").iterdir()] == ["other"]
    other.clear()
    assert list(tmp_path.iterdir()) == []


def test_same_arrays_make_the_same_bytes(store):
    write(store, 1)
    write(store, 2)
    first, second = (store.path / f"00000{index}.npz" for index in (1, 2))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 30, 200, -1])
def test_truncated_tile_counts_as_not_done(store, kept):
    write(store)
    file = store.path / "000003.npz"
    file.write_bytes(file.read_bytes()[:kept])
    assert 3 not in store
    with pytest.raises(RunError, match="start the same command again"):
        store.read(3)


def test_tile_with_a_flipped_bit_counts_as_not_done(store):
    write(store)
    file = store.path / "000003.npz"
    content = bytearray(file.read_bytes())
    content[content.index(ARRAYS["dx"].tobytes()) + 5] ^= 1
    file.write_bytes(content)
    assert 3 not in store
    with pytest.raises(RunError, match="start the same command again"):
        store.read(3)


def test_failed_write_leaves_the_earlier_tile_and_no_other_file(store):
    write(store)
    before = sorted(store.path.iterdir())
    with pytest.raises(ValueError, match="Object arrays"):
        write(store, arrays={"dx": ARRAYS["dx"] + 1, "bad": np.array([object()])})
    assert sorted(store.path.iterdir()) == before
    np.testing.assert_array_equal(store.read(3)["dx"], ARRAYS["dx"])


def test_half_written_leftovers_are_removed_by_the_next_run(store):
    write(store)
    leftover = store.path / "000004.npz.0123.part"
    leftover.write_bytes(b"half")
    with store.lock():
        assert not leftover.exists()
        assert 3 in store


def test_manifest_says_what_the_run_is_made_from(store):
    with store.lock():
        assert json.loads((store.path / "manifest.json").read_text()) == {"key": "key", "version": "1.2"}


def test_second_run_is_kept_out_and_told_by_whom(store, tmp_path):
    other = FolderStore(tmp_path, "key")
    with store.lock():
        with pytest.raises(RunError, match=r"process \d+ on .* is at work on the same run"), other.lock():
            pass
        with FolderStore(tmp_path, "other key").lock():
            pass
    with other.lock():
        pass


def test_lock_can_be_entered_again_and_holds_until_the_outermost_exit(store, tmp_path):
    with store.lock():
        with store.lock():
            pass
        with pytest.raises(RunError), FolderStore(tmp_path, "key").lock():
            pass


def test_copy_in_a_worker_holds_no_lock(store):
    with store.lock():
        copy = pickle.loads(pickle.dumps(store))
        copy.write(5, ARRAYS)
        assert 5 in store
        with pytest.raises(RunError), copy.lock():
            pass


def test_lock_of_a_killed_process_is_taken_over(store, tmp_path):
    code = (
        "import sys, time; from groundshift.engine import FolderStore\n"
        "with FolderStore(sys.argv[1], 'key').lock(): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(RunError, match=f"process {holder.pid} "), store.lock():
            pass
        holder.kill()
    assert (tmp_path / "key.lock").exists()
    write(store)
    assert 3 in store


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="choose another folder"), FolderStore(tmp_path / "file", "key").lock():
        pass


def test_worker_that_does_not_see_the_folder_says_so(store):
    with pytest.raises(RunError, match="all workers see"):
        store.write(3, ARRAYS)


def test_memory_does_not_keep_arrays_at_odd_addresses():
    memory = np.zeros(41, np.uint8)
    memory.flags.writeable = False
    store = MemoryStore()
    store.write(0, {"dx": memory[1:].view(np.float64)})
    assert store.read(0)["dx"].flags.aligned
    assert store.read(0)["dx"].flags.writeable
