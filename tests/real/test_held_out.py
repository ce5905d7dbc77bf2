"""Sets of samples are never built on the sites that methods are scored on."""

import pytest

from groundshift.errors import ConfigurationError
from groundshift.io.samples import SampleFolder
from groundshift.synth.dataset import DatasetOptions, build_dataset
from groundshift.synth.options import PairOptions
from groundshift.synth.selection import HELD_OUT, Selection

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
SMALL = {"scales": ("small",), "pair": PairOptions(size=64), "shares": (1, 0, 0)}
LENIENT = Selection(bands=("B04",), least_correlation=-1, most_scatter=99, most_missing=1)


def options(folder, selection, **counts):
    return DatasetOptions(images=str(folder), selection=selection, **{"validation": 0, "test": 0, **counts}, **SMALL)


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """Links to one site made for training, and to the held-out ones, also under names that do not tell the place."""
    folder = tmp_path_factory.mktemp("images")
    for path in (shared / "data" / "s2_training_sites_10m").glob("nantes*_B04.tif"):
        (folder / path.name).symlink_to(path)
    for path in (shared / "data" / "s2_validation_sites_10m").glob("*_B04.tif"):
        (folder / path.name).symlink_to(path)
        (folder / f"{path.name.replace(path.name.split('_')[0], 'place' + path.name[0])}").symlink_to(path)
    return folder


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("forbidden", [LENIENT.forbidden, ()], ids=["by default", "where nothing is forbidden"])
def test_held_out_sites_alone_give_no_set(shared, tmp_path, forbidden, split):
    selection = LENIENT.model_copy(update={"forbidden": forbidden})
    asked = options(shared / "data" / "s2_validation_sites_10m", selection, **{"train": 0, split: 4})
    with pytest.raises(ConfigurationError, match=f"none of them for {split}"):
        build_dataset(tmp_path / "set", asked, executor="serial")
    assert not list(tmp_path.rglob("*.tar"))


@pytest.mark.parametrize("forbidden", [LENIENT.forbidden, ()], ids=["by default", "where nothing is forbidden"])
def test_among_others_they_are_left_out(folder, tmp_path, forbidden):
    selection = LENIENT.model_copy(update={"forbidden": forbidden})
    built = build_dataset(tmp_path / "set", options(folder, selection, train=6), executor="serial")
    sites = {sample.record["scene"]["pair"]["site"] for sample in SampleFolder(tmp_path / "set")}
    assert sites == {"nantes"}
    trained = {each["site"] for each in built.card["sources"] if each["split"] != "test"}
    assert trained == {"nantes"}
    if forbidden:
        assert not {each["split"] for each in built.card["sources"]} & {"test"}
    else:
        assert len([each for each in built.card["sources"] if each["split"] == "test"]) >= len(HELD_OUT)
