"""The notebooks run from the first cell to the last, on simulated data, and what they show is right."""

import os
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def outputs(notebook) -> str:
    """All text that the cells gave."""
    found = []
    for cell in notebook.cells:
        for each in cell.get("outputs", ()):
            found.append(each.get("text", "") or each.get("data", {}).get("text/plain", ""))
    return "\n".join(found)


@pytest.fixture(scope="module")
def run():
    """All notebooks, run one after the other in one kernel (a kernel takes long to start), by name."""
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `notebooks`")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("geopandas")
    pytest.importorskip("ipykernel")
    joined = nbformat.v4.new_notebook()
    first = [0]
    for path in NOTEBOOKS:
        nbformat.validate(notebook := nbformat.read(path, as_version=4))
        assert sum("parameters" in cell.metadata.get("tags", ()) for cell in notebook.cells) == 1
        assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not kept in the repository"
        joined.cells += [*notebook.cells, nbformat.v4.new_code_cell("%reset -f")]  # the next one starts with nothing
        first.append(len(joined.cells))
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    client = nbclient.NotebookClient(joined, timeout=300, kernel_name="python3", resources={"metadata": {}})
    client.execute(env=environment)
    parts = {}
    for path, start, end in zip(NOTEBOOKS, first, first[1:], strict=False):
        parts[path.stem] = nbformat.v4.new_notebook(cells=joined.cells[start:end])
    return parts


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own modules
@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_and_shows_figures_and_verdicts(run, name):
    notebook = run[name]
    pictures = [
        each for cell in notebook.cells for each in cell.get("outputs", ()) if "image/png" in each.get("data", {})
    ]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert len(pictures) == len(re.findall(r"^ *show\(check\)$|\.plot\(", code, re.M)) > 0
    text = outputs(notebook)
    assert "pass" in text
    assert "fail" not in text.replace("failed", "")
