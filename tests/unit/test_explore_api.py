"""The explorer's server answers as its description says, whatever it is asked."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference.explorer import SOURCES, village, write_sources
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance

from groundshift.explore.server import create_app

POINTS = "ground-L2b-LOS-44"
PLAIN = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The application, with all kinds of layers."""
    root = tmp_path_factory.mktemp("sources")
    write_sources(root, village(300))
    return create_app([root / name for name in SOURCES], hosts=["testserver"])


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as-described", "otherwise"])
def test_every_question_gets_an_answer_that_is_described(app, mode):
    operations = [found.ok() for found in schemathesis.openapi.from_asgi("/api/openapi.json", app).get_all_operations()]
    assert len(operations) == 12
    layers = st.sampled_from([POINTS, POINTS, *app.state.catalog.layers, None])
    for operation in operations:
        asked = (operation.path_parameters, operation.query, operation.body)
        if mode is GenerationMode.NEGATIVE and sum(map(len, asked)) < 2:
            continue  # a layer's name may be anything

        @PLAIN
        @given(case=operation.as_strategy(generation_mode=mode), layer=layers)
        def ask(case, layer):
            if layer and "layer" in (case.path_parameters or {}):
                case.path_parameters["layer"] = layer  # one that is there
            case.call_and_validate(excluded_checks=[positive_data_acceptance])  # an outline may cross itself

        ask()
