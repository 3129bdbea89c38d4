"""The workflow that init writes: its text, and what it does on a runner from the first push to a worse model."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from freezebench.cli import main
from freezebench.cli.init.workflow import WORKFLOW, workflow
from tiny import write_data, write_model
from workflow_runner import MAIN, PULL_REQUEST, Event, Job, Runner

# The tiny model learns at this rate. Its sessions train in pytest's own process, since another one takes seconds.
TINY_KEYS = """\
freeze_lr = 1e-2
freeze_batch_size = 8
freeze_device = cpu
freeze_isolate = none
"""


def git(folder: Path, *arguments: str) -> None:
    """Run a git command."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)  # noqa: S607


def test_the_text_is_that_of_the_usual_values() -> None:
    """A project with the branch main, Python 3.12 and a folder tests gets what README and docs show."""
    assert workflow(branch="main", python="3.12", tests="tests/test_freezing.py") == WORKFLOW
    assert len(WORKFLOW.splitlines()) <= 35


def test_values_of_a_project_take_their_places() -> None:
    """Branch, version, path and requirement are quoted for YAML and the shell."""
    text = workflow(
        branch="it's #1",
        python="3.13",
        tests="'my tests/test_freezing.py' -n0",
        requirement="freezebench[embedded] @ git+https://example.org/f.git@abc",
        with_project=True,
    )
    content = yaml.safe_load(text)
    assert content[True]["push"]["branches"] == ["it's #1"]
    steps = content["jobs"]["cpu"]["steps"]
    assert steps[1]["with"] == {"python-version": "3.13"}
    assert steps[2]["run"].endswith(" 'freezebench[embedded] @ git+https://example.org/f.git@abc' .")
    runs = [step["run"] for step in steps if step.get("run", "").startswith("pytest")]
    assert len(runs) == 2
    assert all(run.startswith("pytest 'my tests/test_freezing.py' -n0 --") for run in runs)


def test_the_workflow_may_do_little() -> None:
    """It reads the repository and nothing else, so that pull requests from forks can run it."""
    content = yaml.safe_load(WORKFLOW)
    assert content["permissions"] == {"contents": "read"}
    assert "secrets" not in WORKFLOW
    assert "pull_request_target" not in WORKFLOW


def small(tmp_path: Path, *, steps: str) -> Runner:
    """Return a runner, and write a workflow of some steps."""
    (tmp_path / "source").mkdir()
    head = "on: {push: {branches: [main]}, pull_request: }\njobs:\n  job:\n    steps:\n"
    (tmp_path / "workflow.yml").write_text(head + steps, encoding="utf-8")
    return Runner(tmp_path / "runner")


def run(runner: Runner, tmp_path: Path, name: str, ref: str) -> Job | None:
    """Return the job of that workflow after an event."""
    text = (tmp_path / "workflow.yml").read_text(encoding="utf-8")
    return runner.run(text, Event(name=name, ref=ref, source=tmp_path / "source"))


def test_the_runner_has_the_rules_of_caches(tmp_path: Path) -> None:
    """A key never changes, the newest entry of a prefix is restored, and a pull request's own entries stay its own."""
    save = '      - {uses: actions/cache/save@v4, with: {path: kept, key: "k-KEY"}}\n'
    restore = "      - {uses: actions/cache/restore@v4, with: {path: kept, key: new, restore-keys: k-}}\n"
    write = "      - run: mkdir kept && echo $GITHUB_EVENT_NAME TEXT > kept/file\n"
    runner = small(tmp_path, steps="")
    file = tmp_path / "workflow.yml"
    head = file.read_text(encoding="utf-8")

    def after(steps: str, name: str, ref: str) -> str:
        file.write_text(head + steps, encoding="utf-8")
        job = run(runner, tmp_path, name, ref)
        assert job is not None
        return job.output

    assert "not found" in after(restore, "pull_request", PULL_REQUEST)
    for key, text in (("1", "first"), ("2", "second"), ("1", "third")):
        output = after(write.replace("TEXT", text) + save.replace("KEY", key), "push", MAIN)
    assert "already exists: k-1" in output
    show = "      - run: cat kept/file\n"
    assert "push second" in after(restore + show, "pull_request", PULL_REQUEST)
    after(write.replace("TEXT", "own") + save.replace("KEY", "3"), "pull_request", PULL_REQUEST)
    assert "pull_request own" in after(restore + show, "pull_request", PULL_REQUEST)
    assert "push second" in after(restore + show, "push", MAIN)


def test_the_runner_has_the_rules_of_steps(tmp_path: Path) -> None:
    """A failed step, in a pipe as well, skips those after it but for ``always()``; other branches start nothing."""
    steps = "      - run: false | cat\n      - run: echo no\n      - {if: always(), run: echo yes}\n"
    runner = small(tmp_path, steps=steps)
    job = run(runner, tmp_path, "push", MAIN)
    assert job is not None
    assert [step.outcome for step in job.steps] == ["failure", "skipped", "success"]
    assert run(runner, tmp_path, "push", "refs/heads/other") is None
    assert run(runner, tmp_path, "workflow_dispatch", MAIN) is None


@pytest.mark.slow
def test_pull_requests_are_compared_with_what_main_saved(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No reference yet; a push saves one; an unchanged pull request passes, one whose model got worse fails."""
    project = tmp_path / "project"
    write_data(project / "my-reviews", sizes=(160, 24, 200))
    write_model(project / "my-checkpoint", is_pretrained=True)
    git(project, "init", "-q", "-b", "main")
    git(project, "remote", "add", "origin", "git@github.com:owner/project.git")
    assert main(["init", str(project)]) == 0
    capfd.readouterr()
    keys = (project / "pytest.ini").read_text(encoding="utf-8")
    (project / "pytest.ini").write_text(keys.replace("seeds = 5", "seeds = 3") + TINY_KEYS, encoding="utf-8")
    text = (project / ".github/workflows/freezing.yml").read_text(encoding="utf-8")
    shutil.rmtree(project / ".git")
    temporary = {"TMPDIR": str(tmp_path), "FREEZEBENCH_LOCK_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    runner = Runner(tmp_path / "runner", {**temporary, "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "-p no:randomly"})

    def job_of(name: str, ref: str = PULL_REQUEST) -> Job:
        job = runner.run(text, Event(name=name, ref=ref, source=project))
        assert job is not None
        assert job.installed == ["freezebench"]
        return job

    first = job_of("pull_request")
    assert first.outcomes("--benchmark-compare") == ["failure"]
    assert "no run is saved in" in first.output
    assert "Run the job of the default branch first" in first.output
    assert "exit 4" in first.output
    assert runner.caches == []

    push = job_of("push", MAIN)
    assert push.has_passed, push.output
    assert [entry.ref for entry in runner.caches] == [MAIN]
    assert len(list(runner.caches[0].folder.rglob("0001_main.json"))) == 1

    unchanged = job_of("pull_request")
    assert unchanged.has_passed, unchanged.output
    assert "compared with the run of" in unchanged.output

    # Half of the words that tell the classes apart become unknown.
    vocabulary = project / "my-checkpoint" / "tokenizer.json"
    content = vocabulary.read_text(encoding="utf-8")
    for word in ("awful", "boring", "bright", "charming"):
        content = content.replace(f'"{word}"', f'"un{word}"')
    vocabulary.write_text(content, encoding="utf-8")
    worse = job_of("pull_request")
    assert worse.outcomes("--benchmark-compare") == ["failure"]
    assert "exit 1" in worse.output
    lines = [line for line in worse.output.splitlines() if line.startswith("::error ")]
    assert lines[0].startswith("::error file=tests/test_freezing.py,line=")
    assert "::INFERIOR: none" in lines[0]
    assert len(runner.caches) == 1
    assert os.environ.get("CI") is None
