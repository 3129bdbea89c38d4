"""Projects whose files have the names of modules, and surroundings that print: sessions from outside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Project = Callable[..., pytest.Pytester]

MARKER = "max_drop=90, grid='none,emb', num_seeds=1, inconclusive='pass'"
# Packages that libraries import if they are there, beside those that are needed.
_PACKAGES = (
    *("accelerate", "bitsandbytes", "certifi", "datasets", "einops", "filelock", "flash_attn", "fsspec", "google"),
    *("huggingface_hub", "idna", "jinja2", "matplotlib", "mpmath", "networkx", "numpy", "optimum", "packaging"),
    *("pandas", "peft", "platformdirs", "psutil", "pyarrow", "pynvml", "regex", "requests", "safetensors", "scipy"),
    *("sentencepiece", "six", "sklearn", "sympy", "tabulate", "tensorflow", "tokenizers", "torch", "torchvision"),
    *("tqdm", "transformers", "triton", "typing_extensions", "urllib3", "wandb", "yaml"),
)
_NOTE_NAMES = "import sys\ndef test_it(): open({note!r}, 'w').write(' '.join(sys.modules))\n"
# Plugins of the environment have no part in this.
_ALONE = ("-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:rerunfailures", "-p", "no:timeout")


def _run(session: pytest.Pytester, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start pytest as its own command does: pytester and python -m pytest add the current folder to sys.path."""
    command = [sys.executable, "-P", "-m", "pytest", *_ALONE, *arguments]
    return subprocess.run(command, cwd=session.path, capture_output=True, text=True, check=False)


def _hidden_names(session: pytest.Pytester) -> list[str]:
    """Return the names of modules that pytest itself has not imported by the time when it collects tests."""
    folder = session.mkdir("names")
    (folder / "test_names.py").write_text(_NOTE_NAMES.format(note=str(folder / "note")))
    _run(session, str(folder), f"--rootdir={folder}")
    loaded = set((folder / "note").read_text().split())
    shutil.rmtree(folder)
    return sorted((sys.stdlib_module_names | set(_PACKAGES)) - loaded - {"this", "antigravity"})


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["worker", "none"])
def test_no_file_of_the_project_hides_a_module(project: Project, isolation: str) -> None:
    """Every name of the standard library and of our libraries, in the folder that pytest puts into sys.path."""
    session = project(MARKER)
    names = _hidden_names(session)
    assert {"pickle", "colorsys", "numpy", "torch"} <= set(names)
    for name in names:
        (session.path / f"{name}.py").write_text(
            "open(__file__ + '.ran', 'w').close()\nraise RuntimeError('executed')\n"
        )
    result = _run(session, f"--freeze-isolate={isolation}", "--freeze-report=report")
    assert (result.returncode, "2 passed" in result.stdout) == (0, True), result.stdout + result.stderr
    assert not list(session.path.glob("*.ran"))


@pytest.mark.slow
def test_what_prints_at_the_start_is_no_message(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sitecustomize.py that prints a line, as on clusters."""
    (tmp_path / "sitecustomize.py").write_text("print('welcome'); print('[]')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    result = _run(project(MARKER), "--freeze-isolate=worker")
    assert (result.returncode, "2 passed" in result.stdout) == (0, True), result.stdout + result.stderr


_FACTORY = """
from {helper} import SIZE
import wave
from transformers import AutoModelForSequenceClassification, AutoTokenizer

assert wave.of_project

def make(num_labels):
    import {helper}.late
    model = AutoModelForSequenceClassification.from_pretrained({model!r}, num_labels=num_labels)
    return model, AutoTokenizer.from_pretrained({model!r})

make.num_layers = SIZE
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("isolation", "place"), [("worker", "ini"), ("worker", "conftest"), ("worker", "root"), ("none", "ini")]
)
def test_the_code_of_a_factory_is_found_as_in_tests(
    project: Project, tiny_model: Path, isolation: str, place: str
) -> None:
    """Its own modules, also with names of other ones, in folders that pytest or a conftest adds."""
    session = project(f"{MARKER}, model='models:make'")
    folder = session.path if place == "root" else session.mkdir("lib")
    helper = folder / "test"  # as a package of the standard library
    helper.mkdir()
    (helper / "__init__.py").write_text("SIZE = 2\n")
    (helper / "late.py").write_text("")
    (folder / "wave.py").write_text("of_project = True\n")
    (folder / "models.py").write_text(_FACTORY.format(helper="test", model=str(tiny_model)))
    if place == "ini":
        session.makeini("[pytest]\npythonpath = lib\n")
    if place == "conftest":
        session.makeconftest(f"import sys; sys.path.insert(0, {str(folder)!r})")
    text = (session.path / "test_project.py").read_text(encoding="utf-8")
    (session.path / "test_project.py").write_text(text.replace(f"model={str(tiny_model)!r}, ", ""))
    result = _run(session, f"--freeze-isolate={isolation}")
    assert (result.returncode, "2 passed" in result.stdout) == (0, True), result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["worker", "none"])
def test_the_traceback_of_a_model_is_shown(project: Project, tiny_model: Path, isolation: str) -> None:
    """In the record, on the page, in report.md and with -v; the first line is one sentence."""
    session = project(f"{MARKER}, engine='standard', model='models:make'")
    session.makepyfile(
        models=f"""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        def broken_hook(gradient):
            raise ValueError("of the hook") from KeyError("deep inside")

        def make(num_labels):
            model = AutoModelForSequenceClassification.from_pretrained({str(tiny_model)!r}, num_labels=num_labels)
            model.classifier.weight.register_hook(broken_hook)
            return model, AutoTokenizer.from_pretrained({str(tiny_model)!r})

        make.num_layers = 2
        """
    )
    text = (session.path / "test_project.py").read_text(encoding="utf-8")
    (session.path / "test_project.py").write_text(text.replace(f"model={str(tiny_model)!r}, ", ""))
    result = _run(session, "-v", f"--freeze-isolate={isolation}", "--freeze-report=report")
    assert result.returncode == 1
    pytest.LineMatcher(result.stdout.splitlines()).fnmatch_lines(
        [
            "INVALID: none: seed 42: ValueError: of the hook",
            "The last lines of none seed 42:",
            "*KeyError: 'deep inside'*",
            "*in broken_hook*",
        ]
    )
    report = json.loads((session.path / "report" / "report.json").read_text(encoding="utf-8"))
    (run,) = report["experiments"][0]["configurations"][0]["runs"]
    assert "in broken_hook" in run["log"]
    assert run["log"].splitlines()[-1] == "ValueError: of the hook"
    for name in ("index.html", "report.md"):
        assert "in broken_hook" in (session.path / "report" / name).read_text(encoding="utf-8").replace("\\_", "_")
