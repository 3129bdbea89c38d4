"""The public names: loaded on first use, typed, listed, documented, and complete."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import freezebench

ROOT = Path(__file__).resolve().parents[1]
# Arguments by which freezebench's own sessions share inputs between runs; no result holds them.
INTERNAL = {"Benchmark", "DataCache", "LayerMap", "ModelSource"}

USER = """
from pathlib import Path

import freezebench
from freezebench import DataSpec, Protocol, RunSpec, Verdict

spec = RunSpec(model="embedded", data=DataSpec(source="reviews"), protocol=Protocol(num_epochs=1))
record = freezebench.run(spec)
reveal_type(record)
reveal_type(record.value("accuracy"))
reveal_type(record.readings["train_s"])
verdict: Verdict = freezebench.noninferiority([[True, False]], [[True, False]])
reveal_type(verdict.outcome)
with freezebench.measure() as window:
    pass
reveal_type(window)
reveal_type(window.readings)
model, tokenizer = freezebench.load_model("embedded")
reveal_type(model)
reveal_type(tokenizer)
reveal_type(freezebench.load_model(Path("./my-checkpoint"))[0])
reveal_type(freezebench.load_model("my_models:factory")[0])
reveal_type(freezebench.freeze(model, "emb"))
reveal_type(freezebench.parse_grid("all", 6))
reveal_type(freezebench.preset("embedded"))


def test_freezing(freeze_run: freezebench.FreezeRun) -> None:
    reveal_type(freeze_run())


RunSpec(model="embedded", data="sst2")
freezebench.RunRecrod
"""
REVEALED = [
    "RunRecord",
    "float | None",
    "Reading",
    "Literal['non_inferior'] | Literal['inferior'] | Literal['inconclusive'] | Literal['invalid']",
    "Window",
    "dict[str, Reading]",
    "PreTrainedModel",
    "PreTrainedTokenizerBase",
    "PreTrainedModel",
    "Module",
    "FreezeSummary",
    "list[FreezeSpec]",
    "Preset",
    "ConfigurationResult",
]


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Nor do the specs: torch and numpy are loaded by what needs them."""
    code = (
        "import sys, freezebench; freezebench.RunSpec; freezebench.FreezebenchError; dir(freezebench)\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'datasets', 'pytest'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_every_name_is_there_and_listed() -> None:
    """In ``__all__``, ``dir()``, and by ``from freezebench import *``, with a docstring of its own."""
    namespace: dict[str, object] = {}
    exec("from freezebench import *", namespace)  # noqa: S102 - that is the test
    assert set(freezebench.__all__) <= set(namespace)
    assert set(freezebench.__all__) <= set(dir(freezebench))
    assert freezebench.__all__ == sorted(freezebench.__all__)
    assert set(freezebench.__all__) == set(freezebench._MODULES)
    for name in freezebench.__all__:
        assert inspect.getdoc(namespace[name]), name
        assert namespace[name] is getattr(import_module(f"freezebench.{freezebench._MODULES[name]}"), name)


def test_a_name_that_does_not_exist_names_the_nearest() -> None:
    """Or all of them."""
    with pytest.raises(AttributeError, match=r"has no attribute 'RunRecrod'\. Did you mean 'RunRecord'\?"):
        _ = freezebench.RunRecrod  # type: ignore[attr-defined]  # that is the test
    with pytest.raises(AttributeError, match=r"has no attribute 'qqq'\. Choose from ConfigurationResult, CostLimits"):
        _ = freezebench.qqq  # type: ignore[attr-defined]  # likewise


def test_the_help_begins_with_an_example_that_runs() -> None:
    """``help(freezebench)`` shows it before anything else, and it prints what it says."""
    text = freezebench.__doc__ or ""
    examples = doctest.DocTestParser().get_examples(text)
    assert len(examples) > 3
    assert text.splitlines().index("    >>> import freezebench".strip()) < 6
    test = doctest.DocTestParser().get_doctest(text, {}, "freezebench", None, None)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def _annotations(node: ast.FunctionDef | ast.ClassDef) -> list[ast.expr]:
    """Return what a function takes and returns, or what the fields and public methods of a class do."""
    if isinstance(node, ast.FunctionDef):
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        types = [argument.annotation for argument in arguments]
        return [annotation for annotation in (*types, node.returns) if annotation is not None]
    found: list[ast.expr] = []
    for item in node.body:
        if isinstance(item, ast.AnnAssign):
            found.append(item.annotation)
        elif isinstance(item, ast.FunctionDef) and (item.name == "__call__" or not item.name.startswith("_")):
            found += _annotations(item)
        elif isinstance(item, ast.FunctionDef) and item.name == "__init__":
            fields = (part for part in ast.walk(item) if isinstance(part, ast.AnnAssign))
            public = (part for part in fields if not ast.unparse(part.target).startswith("self._"))
            found += [part.annotation for part in public]
    return found


def test_what_public_names_take_and_return_is_public() -> None:
    """So that people can annotate their own code: every class of the package in a public signature is importable."""
    classes = {
        node.name
        for path in (ROOT / "freezebench").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    missing = set()
    for name in freezebench.__all__:
        module = import_module(f"freezebench.{freezebench._MODULES[name]}")
        tree = ast.parse(inspect.getsource(module))
        defined = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
        for node in defined:
            parts = (part for annotation in _annotations(node) for part in ast.walk(annotation))
            names = {part.id for part in parts if isinstance(part, ast.Name)}
            missing |= {f"{name}: {other}" for other in (names & classes) - set(freezebench.__all__) - INTERNAL}
    assert missing == set()


@pytest.mark.slow
def test_a_persons_code_is_checked_strictly(tmp_path: Path) -> None:
    """By ``mypy --strict``: the types are the real ones, and a wrong argument is found."""
    (tmp_path / "user.py").write_text(USER, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", "user.py"]
    environment = {"MYPYPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    revealed = re.findall(r'Revealed type is "(.*)"', result.stdout)
    assert [_short(text) for text in revealed] == REVEALED, result.stdout + result.stderr
    errors = [line for line in result.stdout.splitlines() if re.match(r"user\.py:\d+: error: ", line)]
    assert len(errors) == 2, errors
    assert 'Argument "data" to "RunSpec" has incompatible type "str"; expected "DataSpec"' in errors[0]
    assert 'Module has no attribute "RunRecrod"; maybe "RunRecord"?' in errors[1]


def _short(text: str) -> str:
    """Return a type without the modules of its classes."""
    return re.sub(r"\b(\w+\.)+", "", text)
