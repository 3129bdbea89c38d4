"""The layout of package and tests: each test file is named after its module, and files and functions stay short."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
SOURCES = sorted((ROOT / "freezebench").rglob("*.py"))

# Folders whose tests run whole pytest sessions or read the documentation; their files are named after what they show.
OTHER_FOLDERS = {"browser", "cluster", "docs", "mutations", "pytest_plugin"}
# Test files of several modules of a folder, or of what is not in the package.
SEVERAL_MODULES = {
    "test_fuzz",
    "test_layout",
    "test_meters_partial_nvml",
    "test_old_files",
    "test_public_arguments",
    "test_public_docstrings",
    "test_public_names",
    "test_report_imports",
    "test_training_capture_gpu",
    "test_training_engines_custom",
    "test_training_private_names",
    "test_verdicts_simulation",
}
MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 50  # without signature and docstring
# Imported names of distributions that are called otherwise.
DISTRIBUTIONS = {"_pytest": "pytest", "mlflow": "mlflow-skinny", "pynvml": "nvidia-ml-py", "sklearn": "scikit-learn"}
# The package itself, and what type checkers provide.
OTHER = {"freezebench", "_typeshed"}


def modules() -> set[str]:
    """Return the names that modules give to their test files: ``training_prefix_splice``."""
    paths = (path.relative_to(ROOT / "freezebench").with_suffix("") for path in SOURCES)
    return {"_".join(path.parts) for path in paths}


def functions(path: Path) -> list[ast.FunctionDef]:
    """Return the functions and methods of a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.FunctionDef)]


def num_lines(function: ast.FunctionDef) -> int:
    """Return the number of lines of a function's body after its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def third_party_imports() -> dict[str, str]:
    """Return the top-level name of each third-party import of the package, with a file that imports it."""
    names = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported = [str(node.module)]
            else:
                continue
            names.update({name.partition(".")[0]: str(path) for name in imported})
    return {name: path for name, path in names.items() if name not in {*sys.stdlib_module_names, *OTHER}}


def test_test_files_are_named_after_their_modules() -> None:
    """``tests/x/test_x_y.py`` tests ``freezebench/x/y.py``, and ``test_x_y_part.py`` a part of it that is one word."""
    of_modules = {f"test_{name}" for name in modules()}
    expected = of_modules | {name.removesuffix("___init__") for name in of_modules} | SEVERAL_MODULES
    unexpected = []
    for path in TESTS:
        folder = path.parent.relative_to(ROOT / "tests").name
        is_expected = folder in OTHER_FOLDERS or path.stem in expected or path.stem.rpartition("_")[0] in of_modules
        if not is_expected or not path.stem.startswith(f"test_{folder}"):
            unexpected.append(str(path.relative_to(ROOT)))
    assert unexpected == []


def test_exceptions_exist() -> None:
    """A test file that was renamed or deleted leaves the list of exceptions."""
    assert {path.stem for path in TESTS} >= SEVERAL_MODULES


def test_every_test_has_a_docstring() -> None:
    """It says in a sentence what behaviour the test holds."""
    tests = [(path, function) for path in TESTS for function in functions(path) if function.name.startswith("test_")]
    assert [f"{path.name}::{function.name}" for path, function in tests if not ast.get_docstring(function)] == []


def test_files_and_functions_are_short() -> None:
    """A module has one reason to change, and a function is read in one go."""
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}
    spans = {f"{path}:{function.name}": num_lines(function) for path in SOURCES for function in functions(path)}
    assert {name: length for name, length in spans.items() if length > MAX_FUNCTION_LINES} == {}


def test_imports_are_declared() -> None:
    """Every imported package is a dependency or in an extra, not only installed because another package needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    used = ("mlflow", "peft", "ray", "report", "tensorboard", "wandb")
    texts = [*project["dependencies"], *(text for name in used for text in extras[name])]
    declared = {canonicalize_name(Requirement(text).name) for text in texts}
    imports = third_party_imports()
    assert {
        name: path for name, path in imports.items() if canonicalize_name(DISTRIBUTIONS.get(name, name)) not in declared
    } == {}
