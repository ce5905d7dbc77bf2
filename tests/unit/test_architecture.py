"""Rules that hold for the code as a whole."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "groundshift"
MODULES = sorted(PACKAGE.rglob("*.py"))
MODULE = {"pyyaml": "yaml", "scikit-learn": "sklearn"}  # what packages are called inside, where that differs
TEXT_FOLDERS = ("src", "tests", "benchmarks", "docs", "examples", ".ci")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".csv", ".txt", ".ipynb", ""}


def name_of(path: Path) -> str:
    """Path as a test's name."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Syntax tree of a module."""
    return ast.parse(path.read_text("utf-8"), str(path))


def public(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes of a body whose name does not begin with an underscore."""
    found = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node for node in found if not node.name.startswith("_")]


def methods(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Public methods of the public classes of a module."""
    return [node for each in public(tree.body) if isinstance(each, ast.ClassDef) for node in public(each.body)]


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of all packages that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def texts() -> list[Path]:
    """Every text file of the project, and none that was made."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in TEXT_FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path for path in files if path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts]


def test_import_contracts_hold():
    command = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_documents_what_is_public(path):
    tree = tree_of(path)
    inherited = {node.name for each in MODULES for node in methods(tree_of(each)) if ast.get_docstring(node)}
    missing = [node for node in public(tree.body) if not ast.get_docstring(node)]
    missing += [node for node in methods(tree) if not ast.get_docstring(node) and node.name not in inherited]
    assert ast.get_docstring(tree), "the module has no docstring"
    assert not [f"{node.name} (line {node.lineno})" for node in missing]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_does_not_print(path):
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    lines = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not lines, "use logging, or typer.echo in cli"


def test_only_io_imports_rasterio():
    outside = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] != "io"]
    assert len(outside) < len(MODULES), "io holds no module"
    assert not [name_of(path) for path in outside if "rasterio" in imported(tree_of(path))]


def test_dependencies_are_declared():
    """Every package that is imported is in pyproject.toml; torch is one of an extra, and only for training."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    always, training = (
        {MODULE.get(name, name) for each in named for name in re.findall(r"[a-z][a-z\d-]*", re.split("[<>=]", each)[0])}
        for named in (project["dependencies"], project["optional-dependencies"]["train"])
    )
    for path in MODULES:
        needed = imported(tree_of(path)) - set(sys.stdlib_module_names) - {"groundshift", "odc"}
        room = path.relative_to(PACKAGE).parts[0]
        assert needed <= always | (training if room == "train" else set()), name_of(path)
    assert "odc-geo" in always, "its package is called odc"
