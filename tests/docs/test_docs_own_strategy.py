"""The example of a strategy of one's own: a package of one module, built, installed and used as readers would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import freezebench
from architectures import ARCHITECTURES, build
from freezebench.errors import SpecError
from freezebench.runs.environment import source_digest
from freezebench.strategies.freeze import apply
from snippets import ROOT, write_files
from tiny import write_data, write_model

PAGE = "docs/how-to/own-strategy.md"
MODULE = "freeze-queries/queries.py"
TEST = """
import pytest

@pytest.mark.freeze(
    model={model!r}, data={data!r}, device="cpu", num_seeds=1, inconclusive="pass", epochs=8, batch_size=8,
    precision="float32", lr={{"none": 1e-2, "emb+L0+query": 1e-2}},
)
def test_it(freeze_run):
    freeze_run()
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of the example."""
    write_files(PAGE, tmp_path)
    return tmp_path / "freeze-queries"


def test_the_example_is_short(package: Path) -> None:
    """One module of 30 lines of code and documentation, blank ones left out, and its metadata."""
    assert sorted(path.name for path in package.iterdir()) == ["pyproject.toml", "queries.py"]
    assert len([line for line in (package / "queries.py").read_text(encoding="utf-8").splitlines() if line]) <= 30


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "deberta-v2-relative", "electra"])
def test_the_example_trains_queries_and_the_head(
    package: Path, install_packages: Callable[[Path], None], architecture: str
) -> None:
    """One matrix of each layer that is not frozen; freezebench has not changed for it."""
    install_packages(package.parent)
    model = build(*ARCHITECTURES[architecture][:2], num_layers=3)
    applied = apply(model, "emb+L0+query")
    matrices = applied.trainable.names.difference(applied.layers.head)
    assert [len(matrices.intersection(layer)) for layer in applied.layers.layers] == [0, 1, 1]
    assert {model.get_parameter(name).shape for name in matrices} == {torch.Size([32, 32])}
    assert applied.cached_depth() == 1


def test_the_example_refuses_by_name(package: Path, install_packages: Callable[[Path], None]) -> None:
    """ModernBERT has queries, keys and values in one matrix."""
    install_packages(package.parent)
    with pytest.raises(SpecError) as caught:
        freezebench.freeze(build(*ARCHITECTURES["modernbert"][:2]), "query(modules=q|query)")
    assert str(caught.value) == (
        "cannot apply query(modules=q|query): no module is called q|query. Name others by modules=."
    )


@pytest.mark.slow
def test_the_example_is_installed_and_used(package: Path, tmp_path: Path) -> None:
    """In an environment of its own: built, planned, offered as a choice, trained in a worker, and in the table."""
    assert package.is_dir()
    before = source_digest.__wrapped__()
    python = _environment(tmp_path / "venv")
    install = ("-m", "pip", f"--python={python}", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation")
    _run(sys.executable, *install, "./freeze-queries", folder=tmp_path)

    write_model(tmp_path / "model", is_pretrained=True)
    write_data(tmp_path / "data")
    project = tmp_path / "project"
    project.mkdir()
    test = TEST.format(model=str(tmp_path / "model"), data=str(tmp_path / "data"))
    (project / "test_it.py").write_text(test, encoding="utf-8")
    pytest_ = (python, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--freeze-grid=none,emb+L0+query")
    plan = _run(*pytest_, "--freeze-plan", folder=project)
    assert "emb+L0+query " in plan
    wrong = _run(*pytest_, "--freeze-grid=emb+qeury", folder=project, code=4)
    assert "Did you mean 'query'?" in wrong
    table = _run(*pytest_, folder=project, code=None)
    # The matrix of the second layer's queries, and the head.
    num_params = 16 * 16 + (16 * 16 + 16) + (2 * 16 + 2)
    assert re.search(rf"^emb\+L0\+query  .* {num_params} ", table, re.MULTILINE), table
    assert source_digest.__wrapped__() == before


def _environment(folder: Path) -> str:
    """Make an environment that sees what is installed in that of the tests; return its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    own = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in own]
    (packages / "tests.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(python)


def _run(*command: str, folder: Path, code: int | None = 0) -> str:
    """Run a command in a folder; return what it prints."""
    variables = {"PYTHONPATH": str(ROOT), "COLUMNS": "400", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    result = subprocess.run(
        command, cwd=folder, env=environment | variables, check=False, capture_output=True, text=True, timeout=300
    )
    assert code is None or result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr
