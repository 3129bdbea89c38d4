"""The README's example workflows are YAML whose commands freezebench understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from freezebench.config.options import OPTIONS

README = Path(__file__).parents[1] / "README.md"
WORKFLOWS = re.findall(r"^```yaml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def jobs(workflow: str) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    # It comes with transformers and huggingface_hub, and is nothing that the package itself needs.
    yaml: Any = pytest.importorskip("yaml")
    found = yaml.safe_load(workflow)["jobs"]
    assert isinstance(found, dict)
    return found


def test_there_is_one_workflow_for_each_kind_of_runner() -> None:
    """One for hosted CPUs, one for a GPU of one's own."""
    runners = {name: job["runs-on"] for workflow in WORKFLOWS for name, job in jobs(workflow).items()}
    assert runners == {"cpu": "ubuntu-latest", "gpu": ["self-hosted", "linux", "gpu"]}


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_the_commands_are_understood(workflow: str, pytester: pytest.Pytester) -> None:
    """Every option exists, pull requests are compared, and pushes renew the reference."""
    (job,) = jobs(workflow).values()
    commands = {
        step["if"]: shlex.split(step["run"]) for step in job["steps"] if "pytest benchmarks" in step.get("run", "")
    }
    compare, save = commands["github.event_name == 'pull_request'"], commands["github.event_name == 'push'"]
    assert "--benchmark-compare" in compare
    assert "--benchmark-save=main" in save
    known = {option.flag for option in OPTIONS}
    for command in (compare, save):
        flags = [word.partition("=")[0] for word in command if word.startswith("--freeze-")]
        assert flags
        assert set(flags) <= known
        options = [word for word in command[2:] if word != "--benchmark-compare"]
        # No test is found (5); an option that pytest or pytest-benchmark does not know would end with 4.
        assert pytester.runpytest_subprocess(*options, f"--benchmark-storage={pytester.path}/saved").ret == 5
