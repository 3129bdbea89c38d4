"""A runner of GitHub Actions in small: triggers, conditions, caches and steps of a job, which bash runs.

Actions are replaced by what they do to files: a checkout is a copy, a cache a folder under a key that never changes, an
artifact a copy. The lines that install packages are checked and not run, since the tests' own environment has them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from packaging.requirements import Requirement

from freezebench.config.session_settings import CI_VARIABLES

MAIN, PULL_REQUEST = "refs/heads/main", "refs/pull/1/merge"
_TOKEN = re.compile(r"\s+|'[^']*'|[A-Za-z_][\w.-]*(?:\(\))?|==|!=|&&|\|\||!|[()]")
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!=", "(": "(", ")": ")"}
_PINNED = re.compile(r"(actions/[\w/-]+)@v\d+")
_INSTALLS = re.compile(r"\bpip install\b")


@dataclass(frozen=True, kw_only=True)
class Event:
    """What starts a workflow.

    Attributes:
        name: ``push``, ``pull_request`` or ``workflow_dispatch``.
        source: The files of the commit.
        ref: The reference of the commit.
        head: The repository that a pull request comes from.
    """

    name: str
    source: Path
    ref: str = MAIN
    head: str = "owner/project"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that was reached.

    Attributes:
        text: What it does: the action's name, or the script.
        outcome: What became of it.
        output: What it printed.
    """

    text: str
    outcome: Literal["success", "failure", "skipped"]
    output: str = ""


@dataclass(kw_only=True)
class Job:
    """A job that ended.

    Attributes:
        steps: Its steps.
        summary: The summary that its steps wrote.
        artifacts: Files that were kept, by the name of the artifact.
        installed: Requirements of the lines with pip.
    """

    steps: list[Step] = field(default_factory=list)
    summary: str = ""
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    installed: list[str] = field(default_factory=list)

    @property
    def has_passed(self) -> bool:
        """Whether no step failed."""
        return all(step.outcome != "failure" for step in self.steps)

    @property
    def output(self) -> str:
        """What its steps printed."""
        return "\n".join(step.output for step in self.steps)

    def outcomes(self, word: str) -> list[str]:
        """Return the outcomes of the steps whose text holds a word."""
        return [step.outcome for step in self.steps if word in step.text]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    key: str
    ref: str
    folder: Path


class Runner:
    """A runner with a home folder, and the caches of one repository.

    Attributes:
        caches: Entries in the order in which they were made.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        """Take the folder for workspaces, caches and home, and further variables of the environment."""
        self._folder, self._environment = folder, environment or {}
        self._num_runs = 0
        self.caches: list[_Entry] = []

    def run(self, workflow: str, event: Event) -> Job | None:
        """Return the only job of a workflow after an event; ``None`` if the event does not start it."""
        content: dict[Any, Any] = yaml.safe_load(workflow)
        # YAML 1.1, which PyYAML reads, takes the key `on` for true.
        if not _is_triggered(content[True], event):
            return None
        (job,) = content["jobs"].values()
        self._num_runs += 1
        context = {
            "github.event_name": event.name,
            "github.ref": event.ref,
            "github.repository": "owner/project",
            "github.event.pull_request.head.repo.full_name": event.head,
            "github.run_id": str(1000 + self._num_runs),
            "github.run_attempt": "1",
        }
        if not _holds(job.get("if", "success()"), context, is_failing=False):
            return None
        run = _Run(self, event, context, self._variables(event, {**content.get("env", {}), **job.get("env", {})}))
        for step in job["steps"]:
            run.step(step)
        summary = Path(run.environment["GITHUB_STEP_SUMMARY"])
        run.job.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
        return run.job

    def _variables(self, event: Event, env: dict[str, str]) -> dict[str, str]:
        workspace, home = self._folder / f"run{self._num_runs}" / "project", self._folder / "home"
        for folder in (workspace, home):
            folder.mkdir(parents=True, exist_ok=True)
        # pytest-benchmark saves nothing in a worker of pytest-xdist.
        left_out = {*CI_VARIABLES, "PYTEST_XDIST_WORKER"}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event.name,
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_STEP_SUMMARY": str(workspace.parent / "summary.md"),
            **self._environment,
            **env,
        }

    def restore(self, key: str, prefixes: list[str], ref: str) -> _Entry | None:
        """Return the entry of a key, else the newest one with a prefix; those of the own reference come first."""
        for scope in dict.fromkeys((ref, MAIN)):
            entries = [entry for entry in reversed(self.caches) if entry.ref == scope]
            exact = [entry for entry in entries if entry.key == key]
            similar = [entry for prefix in prefixes for entry in entries if entry.key.startswith(prefix)]
            if exact or similar:
                return [*exact, *similar][0]
        return None

    def save(self, key: str, folder: Path, ref: str) -> str:
        """Keep a folder under a key, unless there is one already, and return what is said about it."""
        if any((entry.key, entry.ref) == (key, ref) for entry in self.caches):
            return f"Cache already exists: {key}"
        if not folder.exists():
            return "Warning: the path does not exist, so that no cache is saved"
        kept = self._folder / "caches" / str(len(self.caches))
        shutil.copytree(folder, kept)
        self.caches.append(_Entry(key=key, ref=ref, folder=kept))
        return f"Cache saved with key: {key}"


class _Run:
    """One job while it runs."""

    def __init__(self, runner: Runner, event: Event, context: dict[str, str], environment: dict[str, str]) -> None:
        self._runner, self._event, self._context = runner, event, context
        self.environment = environment
        self._workspace = Path(environment["GITHUB_WORKSPACE"])
        self.job = Job()

    def step(self, step: dict[str, Any]) -> None:
        """Run a step if its condition holds."""
        assert set(step) <= {"name", "if", "uses", "with", "run", "env"}
        text = step.get("uses") or step["run"]
        if not _holds(step.get("if", "success()"), self._context, is_failing=not self.job.has_passed):
            self.job.steps.append(Step(text=text, outcome="skipped"))
            return
        if "uses" in step:
            values = {name: _filled(str(value), self._context) for name, value in step.get("with", {}).items()}
            match = _PINNED.fullmatch(text)
            assert match is not None, f"{text} is not pinned to a version"
            self.job.steps.append(Step(text=text, outcome="success", output=self._action(match[1], values)))
        else:
            self._script(_filled(step["run"], self._context), text, step.get("env", {}))

    def _action(self, name: str, values: dict[str, str]) -> str:
        match name:
            case "actions/checkout":
                shutil.copytree(self._event.source, self._workspace, dirs_exist_ok=True)
            case "actions/setup-python":
                assert set(values) == {"python-version"}
                assert re.fullmatch(r"3\.1\d", values["python-version"])
            case "actions/cache/restore":
                prefixes = values["restore-keys"].split()
                entry = self._runner.restore(values["key"], prefixes, self._event.ref)
                if entry is None:
                    return "Cache not found"
                shutil.copytree(entry.folder, self._workspace / values["path"], dirs_exist_ok=True)
                return f"Cache restored from key: {entry.key}"
            case "actions/cache/save":
                return self._runner.save(values["key"], self._workspace / values["path"], self._event.ref)
            case "actions/upload-artifact":
                paths = [self._workspace / path for path in values["path"].split()]
                files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
                self.job.artifacts[values["name"]] = [str(file.relative_to(self._workspace)) for file in files]
            case _:
                raise AssertionError(f"{name} is not known here")
        return ""

    def _script(self, script: str, text: str, env: dict[str, str]) -> None:
        kept = [line for line in script.splitlines() if not self._prepares(line)]
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(kept)]
        result = subprocess.run(
            command,
            cwd=self._workspace,
            env={**self.environment, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        outcome: Literal["success", "failure"] = "failure" if result.returncode else "success"
        self.job.steps.append(Step(text=text, outcome=outcome, output=f"{result.stdout}\nexit {result.returncode}"))

    def _prepares(self, line: str) -> bool:
        """Return whether a line only makes an environment or installs packages, after doing as much as tests need."""
        if not _INSTALLS.search(line):
            return False
        for part in line.split("&&"):
            words = shlex.split(part)
            if words[1:3] == ["-m", "venv"]:
                programs = self._workspace / words[3] / "bin"
                programs.mkdir(parents=True)
                for name in ("python", "pytest"):
                    (programs / name).write_text(f'#!/bin/sh\nexec {Path(sys.executable).parent / name} "$@"\n')
                    (programs / name).chmod(0o755)
                continue
            assert _INSTALLS.search(part), part
            packages = words[words.index("install") + 1 :]
            if packages[0] == "--extra-index-url":
                assert packages[1].startswith("https://download.pytorch.org/")
                packages = packages[2:]
            self.job.installed += [package if package == "." else str(Requirement(package)) for package in packages]
        return True


def _is_triggered(triggers: dict[str, Any], event: Event) -> bool:
    """Return whether an event starts a workflow."""
    if event.name not in triggers:
        return False
    branches = (triggers[event.name] or {}).get("branches")
    return branches is None or event.ref.removeprefix("refs/heads/") in branches


def _filled(text: str, context: dict[str, str]) -> str:
    """Return a text with the values of its expressions."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(_value(match[1], context, is_failing=False)), text)


def _holds(condition: str, context: dict[str, str], *, is_failing: bool) -> bool:
    """Return whether a condition holds; without a function of status, only while nothing failed."""
    expression = condition.strip().removeprefix("${{").removesuffix("}}")
    has_status = re.search(r"\b(always|failure|success)\(\)", expression) is not None
    return bool(_value(expression, context, is_failing=is_failing)) and (has_status or not is_failing)


def _value(expression: str, context: dict[str, str], *, is_failing: bool) -> object:
    """Return the value of an expression of GitHub Actions, which is translated to Python."""
    status = {"always()": True, "success()": not is_failing, "failure()": is_failing}
    tokens = [match[0] for match in _TOKEN.finditer(expression)]
    assert "".join(tokens) == expression, f"cannot read {expression!r}"
    words = []
    for token in tokens:
        if token.isspace() or token in _OPERATORS:
            words.append(_OPERATORS.get(token, " "))
        elif token.startswith("'"):
            words.append(repr(token[1:-1]))
        else:
            words.append(repr(status[token] if token in status else context[token]))
    return eval("".join(words).strip(), {})  # noqa: S307 - the workflows of this repository
