"""What tests in a real browser share."""

import pytest
from reference.browser import browsers


@pytest.fixture(scope="module")
def chromium():
    with browsers() as opened:
        yield opened
