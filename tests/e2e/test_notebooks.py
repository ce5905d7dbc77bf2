"""Papermill runs the notebooks from the first cell to the last, on simulated data, and what they show is right."""

import re
from pathlib import Path

import pytest

PICTURES = r"^ *show\(check\)$|(?:frame|areas)\.plot\(|^(?:quicklook|verdicts_figure)\("
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def outputs(notebook) -> str:
    """All text that the cells gave."""
    found = []
    for cell in notebook.cells:
        for each in cell.get("outputs", ()):
            found.append(each.get("text", "") or each.get("data", {}).get("text/plain", ""))
    return "\n".join(found)


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own modules
@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
def test_papermill_runs_a_notebook_with_other_parameters(name, tmp_path, monkeypatch):
    papermill = pytest.importorskip("papermill", reason="needs the extra `notebooks`")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("geopandas")
    pytest.importorskip("ipykernel")
    path = next(each for each in NOTEBOOKS if each.stem == name)
    nbformat.validate(nbformat.read(path, as_version=4))
    assert not any(cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells), "outputs are not kept"
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = papermill.execute_notebook(
        path, tmp_path / path.name, parameters={"seed": 2}, kernel_name="python3", progress_bar=False
    )
    assert "seed = 2" in "\n".join(
        c.source for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", ())
    )
    pictures = [
        each for cell in notebook.cells for each in cell.get("outputs", ()) if "image/png" in each.get("data", {})
    ]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert len(pictures) == len(re.findall(PICTURES, code, re.M)) > 1
    assert pictures[-1] in notebook.cells[-1].outputs, "the last cell shows all numbers in one look"
    text = outputs(notebook)
    assert "pass" in text
    assert "fail" not in text.replace("failed", "")
