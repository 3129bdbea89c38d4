"""Workflows: pages show the one that init writes, and that of a GPU runner saves references and compares with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from freezebench.cli.init.workflow import WORKFLOW
from snippets import BLOCKS, Block, of_language
from tiny import write_data, write_model
from workflow_runner import MAIN, PULL_REQUEST, Event, Job, Runner

WORKFLOWS = of_language("yaml")
CPU_PAGE, GPU_PAGE = "docs/how-to/ci-cpu.md", "docs/how-to/ci-gpu.md"
TEST = """\
import pytest


@pytest.mark.freeze(model="./my-checkpoint", data="./my-reviews", grid="none,emb", epochs=3, margin=8)
def test_freezing(freeze_run):
    freeze_run()
"""
KEYS = """\
[pytest]
freeze_preset = embedded
freeze_num_seeds = 5
freeze_lr = 1e-2
freeze_batch_size = 8
freeze_device = cpu
freeze_isolate = none
"""
# Tiny models train for milliseconds, in which other tests may well disturb them. The workflow installs no matplotlib.
CONFTEST = """\
import sys

from freezebench.records import contention

contention.CONTENTION_LIMIT = 1.0
sys.modules["matplotlib"] = None
"""


def test_pages_show_the_workflow_that_init_writes() -> None:
    """Word for word: README, the page of hosted runners, and wherever else a page has it."""
    shown = [block for block in BLOCKS if block.file_name == ".github/workflows/freezing.yml"]
    assert {"README.md", CPU_PAGE} <= {block.page for block in shown}
    assert {block.text for block in shown} == {WORKFLOW}


def test_there_is_one_workflow_for_each_kind_of_runner() -> None:
    """One for hosted CPUs, one for a GPU of one's own."""
    jobs = {name: job for block in WORKFLOWS for name, job in yaml.safe_load(block.text)["jobs"].items()}
    assert {name: job["runs-on"] for name, job in jobs.items()} == {
        "cpu": "ubuntu-latest",
        "gpu": ["self-hosted", "linux", "gpu"],
    }


@pytest.mark.parametrize("block", WORKFLOWS, ids=str)
def test_workflows_may_only_read_the_repository(block: Block) -> None:
    """They run what pull requests send."""
    assert yaml.safe_load(block.text)["permissions"] == {"contents": "read"}


def gpu_workflow() -> str:
    """Return the workflow of the GPU runner, on the CPU: without its limit on energy, and with loose other limits."""
    (text,) = (block.text for block in WORKFLOWS if block.page == GPU_PAGE)
    for limit, loose in ((" --freeze-max-energy=1.05", ""), ("time=1.05", "time=10"), ("memory=1.01", "memory=10")):
        assert limit in text
        text = text.replace(limit, loose)
    return text


@pytest.mark.slow
def test_the_gpu_workflow_keeps_its_reference_on_the_runner(tmp_path: Path) -> None:
    """A run by hand on main saves it, a pull request is compared with it, and one from a fork starts nothing."""
    project, text = tmp_path / "project", gpu_workflow()
    write_data(project / "my-reviews", sizes=(160, 24, 100))
    write_model(project / "my-checkpoint", is_pretrained=True)
    (project / "tests").mkdir()
    (project / "tests/test_freezing.py").write_text(TEST, encoding="utf-8")
    (project / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (project / "pytest.ini").write_text(KEYS, encoding="utf-8")
    temporary = {"TMPDIR": str(tmp_path), "FREEZEBENCH_LOCK_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    runner = Runner(tmp_path / "runner", {**temporary, "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "-p no:randomly"})

    def job_of(name: str, ref: str, head: str = "owner/project") -> Job | None:
        return runner.run(text, Event(name=name, ref=ref, head=head, source=project))

    assert job_of("pull_request", PULL_REQUEST, "stranger/project") is None
    other = job_of("workflow_dispatch", "refs/heads/other")
    assert other is not None
    assert other.outcomes("freeze") == ["success", "skipped", "skipped"]
    saved = job_of("workflow_dispatch", MAIN)
    assert saved is not None
    assert saved.has_passed, saved.output
    assert saved.installed == ["freezebench[embedded]"]
    assert len(list((tmp_path / "runner/home/freezebench-references").rglob("0001_main.json"))) == 1
    compared = job_of("pull_request", PULL_REQUEST)
    assert compared is not None
    assert compared.has_passed, compared.output
    assert compared.outcomes("--benchmark-compare") == ["success"]
    assert "compared with the run of" in compared.output
    assert "reports/index.html" in compared.artifacts["freezing-gpu"]
