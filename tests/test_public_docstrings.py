"""Docstrings of the public names: parameters, fields, results and errors are all described.

Ruff checks that a section ``Args`` is complete where there is one, and not that there is one; its checks of results and
errors do not know that a first line beginning with "Return" describes the result.
"""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import freezebench

ROOT = Path(__file__).resolve().parents[1] / "freezebench"
# The protocols of the four seams, and what strategies get of a model.
EXTENSIONS = {
    "Executor": "executors.base",
    "LayerMap": "models.layers",
    "Metric": "scoring.metric",
    "Task": "tasks.base",
}
PLACES = freezebench._MODULES | EXTENSIONS


def described(node: ast.FunctionDef | ast.ClassDef, section: str) -> set[str]:
    """Return the names that a section of a docstring describes."""
    text = ast.get_docstring(node) or ""
    found = re.search(rf"^{section}:\n((?:    .*\n|\n)+)", f"{text}\n", re.MULTILINE)
    return set(re.findall(r"^    (\w+): ", found[1], re.MULTILINE)) if found else set()


def raised(node: ast.FunctionDef) -> set[str]:
    """Return the classes of the errors that the body of a function raises itself."""
    calls = [part.exc for part in ast.walk(node) if isinstance(part, ast.Raise) and isinstance(part.exc, ast.Call)]
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def faults_of_function(node: ast.FunctionDef) -> list[str]:
    """Return what the docstring of a function does not describe."""
    text = ast.get_docstring(node) or ""
    arguments = (*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg)
    parameters = [
        argument.arg for argument in arguments if argument is not None and argument.arg not in ("self", "cls")
    ]
    faults = [f"parameter {name}" for name in parameters if name not in described(node, "Args")]
    returns = "None" if node.returns is None else ast.unparse(node.returns)
    if returns != "None" and not text.startswith("Return ") and "\nReturns:\n" not in text:
        faults.append("result")
    return [*faults, *(f"error {name}" for name in raised(node) - described(node, "Raises"))]


def faults_of_class(node: ast.ClassDef) -> list[str]:
    """Return what the docstrings of a class and of its public methods do not describe."""
    known = described(node, "Attributes")
    fields = [
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    faults = [f"field {name}" for name in fields if name not in known and not name.startswith("_")]
    for item in (item for item in node.body if isinstance(item, ast.FunctionDef)):
        is_property = any("property" in ast.unparse(decorator) for decorator in item.decorator_list)
        if item.name in ("__init__", "__post_init__"):
            missing = raised(item) - described(node, "Raises") - described(item, "Raises")
            faults += [f"error {name}" for name in missing]
        elif item.name.startswith("_") and item.name != "__call__":
            continue
        elif is_property:
            faults += [] if ast.get_docstring(item) else [f"property {item.name}"]
        else:
            faults += [f"{item.name}: {fault}" for fault in faults_of_function(item)]
    return faults


def faults(source: str, name: str) -> list[str]:
    """Return what the docstring of a class or function of a module does not describe."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    # Overloads come before the function itself.
    node = [node for node in nodes if node.name == name][-1]
    return faults_of_class(node) if isinstance(node, ast.ClassDef) else faults_of_function(node)


@pytest.mark.parametrize("name", PLACES)
def test_everything_is_described(name: str) -> None:
    """Parameters and fields by name, the result in the first line or a section, and errors with when they occur."""
    source = (ROOT / (PLACES[name].replace(".", "/") + ".py")).read_text(encoding="utf-8")
    assert faults(source, name) == []


@pytest.mark.parametrize("name", freezebench.__all__)
def test_the_first_line_is_a_sentence(name: str) -> None:
    """It stands alone in lists and editors."""
    text = getattr(import_module(f"freezebench.{freezebench._MODULES[name]}"), name).__doc__ or ""
    # The site shows docstrings as Markdown.
    assert not re.search(r":(class|func|meth):", text)
    first, _, rest = text.partition("\n")
    assert re.fullmatch(r"[A-Z].*[.:]", first), first
    assert not rest.partition("\n")[0].strip()


def test_what_is_missing_is_found() -> None:
    """In functions and in classes."""
    function = (
        'def f(a, *, b) -> int:\n    """Add.\n\n    Args:\n        a: A number.\n    """\n    raise ValueError("x")\n'
    )
    assert faults(function, "f") == ["parameter b", "result", "error ValueError"]
    method = '    def go(self, a) -> None:\n        """Go."""\n'
    field = '"""A class.\n\n    Attributes:\n        a: A field.\n    """\n    a: int\n    b: int\n'
    start = '    def __post_init__(self):\n        raise ValueError("x")\n    @property\n    def p(self): ...\n'
    assert faults(f"class C:\n    {field}{start}{method}", "C") == [
        "field b",
        "error ValueError",
        "property p",
        "go: parameter a",
    ]
