"""What all tests share: the folder of shared data beside the checkout."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "180s")  # workers start slowly on a busy machine

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """A folder of shared data beside the checkout; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("needs a folder of shared data beside the checkout")
    return SHARED
