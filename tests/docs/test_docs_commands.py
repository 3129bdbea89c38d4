"""Commands: real parsers take every command of README, docs and workflows, and the first pages' commands run."""

from __future__ import annotations

import configparser
import os
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import yaml
from packaging.requirements import Requirement

from freezebench import cli
from freezebench.records import contention
from snippets import COMMANDS, ROOT, TINY_DEFAULTS, Command, of_language, of_program, program, write_files

# The Hub is not reached from tests: what comes from there is replaced by the folders that pages name.
LOCAL = ["--freeze-model=./my-checkpoint", "--freeze-data=./my-reviews"]
FROM_HUB = ("--freeze-preset=notebook", "--freeze-preset=distilbert-sst2", "--freeze-model=distilbert-base-uncased")
# Commands that are what they are: the first word, or the whole of it.
PLAIN_COMMANDS = {
    "python -m venv .venv",
    "python3 -m venv .venv",
    ". .venv/bin/activate",
    ".ci/run",
    "mypy",
    "lint-imports",
    "pre-commit install",
    "cd freezebench",
}
NO_TESTS_COLLECTED = 5
INIT_TEST = "tests/test_freezing.py"


def pytest_arguments(command: Command) -> list[str]:
    """Return pytest's arguments, with local material in the place of what only the Hub has."""
    at = next(index for index, word in enumerate(command.words) if Path(word).name == "pytest")
    words = [os.path.expandvars(word) for word in command.words[at + 1 :]]
    # That of a project in which init was run.
    for path in (word for word in words if word.startswith("tests/") and word != INIT_TEST):
        assert (ROOT / path).exists()
    words = ["benchmarks" if word.startswith("tests/") else word for word in words]
    if not any(word.startswith(FROM_HUB) for word in words):
        return words
    # Models and data sets of repeated options add up.
    return [*(word for word in words if not word.startswith(("--freeze-model=", "--freeze-data="))), *LOCAL]


def test_every_command_has_a_rule() -> None:
    """A program that no test below checks would be a command that nothing executes."""
    scripts = {name for name in map(program, COMMANDS) if name.startswith("benchmarks/")}
    checked = {"pytest", "tox", "freezebench", "pip", "git", "ruff", *scripts}
    assert [
        str(command) for command in COMMANDS if program(command) not in checked and command.text not in PLAIN_COMMANDS
    ] == []


@pytest.mark.parametrize("command", of_program("pytest"), ids=str)
def test_pytest_commands_are_understood(
    command: Command, workplace: Path, pytester: pytest.Pytester, install_packages: Callable[[Path], None]
) -> None:
    """Pytest takes every option and value, and finds tests."""
    write_files(command.block.page, workplace)
    install_packages(workplace)
    # pytest-benchmark warns that nothing ran, and that there is nothing to compare with.
    quiet = ("-W", "ignore::pytest_benchmark.logger.PytestBenchmarkWarning")
    result = pytester.runpytest_inprocess("--collect-only", "-q", *quiet, *pytest_arguments(command))
    if "not freeze" in command.words:
        assert result.ret == NO_TESTS_COLLECTED
    else:
        assert result.ret == 0


# Tiny models train for milliseconds, in which other tests may well disturb them.
NEVER_CONTENDED = """
from freezebench.records import contention

contention.CONTENTION_LIMIT = 1.0
"""


def check_result(command: Command, code: int, output: str) -> None:
    """Whether a tiny model passes its limits (0 or 1, under --strict 2) says nothing; that it was judged does."""
    assert code in ({0, 1, 2} if "--strict" in command.words else {0, 1}), output
    if "doctor" not in command.words:
        assert ("nothing runs" if "--freeze-plan" in command.words else "points") in output


def commands_of(page: str, folder: Path) -> list[Command]:
    """Return the commands of a page, whose files lie in the folder from now on."""
    write_files(page, folder)
    (folder / "pytest.ini").write_text(TINY_DEFAULTS, encoding="utf-8")
    commands = of_program("pytest", "freezebench")
    # Workflows run by tests of their own.
    return [command for command in commands if command.block.page == page and command.block.language == "sh"]


@pytest.mark.slow
def test_commands_of_the_readme_run(workplace: Path) -> None:
    """In a shell, and with the workers that a user has."""
    (workplace / "conftest.py").write_text(NEVER_CONTENDED, encoding="utf-8")
    # Other tests train at the same time, which these sessions would wait for.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FREEZEBENCH_LOCK_DIR": str(workplace / "turns")}
    for command in commands_of("README.md", workplace):
        shell = ["bash", "-c", command.text]
        result = subprocess.run(shell, capture_output=True, text=True, check=False, env=environment)
        check_result(command, result.returncode, f"{command.text}\n{result.stdout}\n{result.stderr}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["docs/tutorial/first-hour.md", "docs/how-to/regression-gate.md", "docs/how-to/several-models.md"]
)
def test_commands_of_a_page_run(
    page: str,
    workplace: Path,
    pytester: pytest.Pytester,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process, where all of them need the imports of one."""
    monkeypatch.setenv("FREEZEBENCH_LOCK_DIR", str(workplace / "turns"))
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", 1.0)
    for command in commands_of(page, workplace):
        # Paths of one command hold a pattern, which a shell fills in.
        words = [name for word in command.words for name in (map(str, Path().glob(word)) if "*" in word else [word])]
        arguments = words[words.index(program(command)) + 1 :]
        if program(command) == "pytest":
            result = pytester.runpytest_inprocess("-W", "default", "--freeze-isolate=none", *arguments)
            check_result(command, result.ret, f"{command.text}\n{result.outlines}\n{result.errlines}")
        else:
            code = cli.main(arguments)
            check_result(command, code, f"{command.text}\n{capsys.readouterr()}")


def tox_settings() -> configparser.ConfigParser:
    """Return the settings of tox."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    return parser


def tox_environments() -> dict[str, str]:
    """Return the commands of every tox environment by its name."""
    parser = tox_settings()
    base = parser["testenv"]["commands"]
    named = {
        name.removeprefix("testenv:"): parser[name].get("commands", base)
        for name in parser.sections()
        if name.startswith("testenv:")
    }
    return {"tests": base, **named}


def test_tox_environments_that_train_fetch_their_data_first() -> None:
    """The commands themselves run offline."""
    train = {name for name, commands in tox_environments().items() if " benchmarks" in commands}
    assert train == {"bench", "peers"}
    for name in train:
        assert tox_settings()[f"testenv:{name}"]["commands_pre"] == "python -m freezebench fetch"


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("command", of_program("tox"), ids=str)
def test_tox_commands_are_understood(command: Command, pytester: pytest.Pytester) -> None:
    """The environment exists, and its program takes what stands behind the dashes."""
    words = list(command.words)
    assert words[words.index("tox") + 1 :][:2] == ["run", "-e"]
    environment = tox_environments()[words[words.index("-e") + 1]]
    passed = words[words.index("--") + 1 :] if "--" in words else []
    if not passed:
        return
    assert "{posargs" in environment
    line = next(line for line in environment.splitlines() if "{posargs" in line)
    if line.split()[0] == "python":
        parse_script(line.split()[1], passed)
        return
    assert line.split()[0] == "pytest"
    parsed = replace(command, words=("pytest", "benchmarks", *passed))
    result = pytester.runpytest_inprocess("--collect-only", "-q", *pytest_arguments(parsed))
    assert result.ret == 0


@pytest.mark.parametrize("command", of_program("freezebench"), ids=str)
def test_freezebench_commands_are_understood(command: Command) -> None:
    """The command line's own parser takes them."""
    words = list(command.words)
    options, unknown = cli._parser().parse_known_args(words[words.index("freezebench") + 1 :])
    assert options.command in {"compare", "doctor", "fetch", "init", "judge", "log", "report"}
    assert unknown == []


class ParsedError(Exception):
    """Ends a script once its arguments are parsed."""


def parse_script(script: str, arguments: list[str]) -> None:
    """Run a script up to the point where its arguments are parsed."""
    import argparse

    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *args: object) -> NoReturn:
        parse(parser, *args)  # type: ignore[call-overload]  # whatever the script passes
        raise ParsedError

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str((ROOT / script).parent))  # as Python does for a script
        patch.setattr(sys, "argv", [script, *arguments])
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        with pytest.raises(ParsedError):
            runpy.run_path(str(ROOT / script), run_name="__main__")


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if program(command).startswith("benchmarks/")], ids=str
)
def test_script_commands_are_understood(command: Command) -> None:
    """The script exists, and takes its arguments."""
    at = command.words.index(program(command))
    parse_script(command.words[at], list(command.words[at + 1 :]))


def extras() -> set[str]:
    """Return the names of the package's extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


@pytest.mark.parametrize("command", of_program("pip"), ids=str)
def test_installing_commands_name_what_exists(command: Command) -> None:
    """Packages are requirements by the standard, and freezebench's extras exist; nothing is installed here."""
    words = iter(command.words[command.words.index("install") + 1 :])
    for word in words:
        if word in {"--extra-index-url", "--index-url"}:
            next(words)
        elif word in {"-e", "-q"}:
            continue
        elif word.startswith("./"):
            assert f"{word[2:]}/pyproject.toml" in {block.file_name for block in of_language("toml")}
        elif word.startswith("."):
            assert set(Requirement(f"freezebench{word[1:]}").extras) <= extras()
        else:
            requirement = Requirement(word)
            assert requirement.name != "freezebench" or requirement.extras <= extras()


@pytest.mark.parametrize("command", of_program("git", "ruff"), ids=str)
def test_commands_of_tools_are_known(command: Command) -> None:
    """The tool takes the subcommand."""
    known = {"git": {"clone", "switch", "commit"}, "ruff": {"check", "format"}}
    assert command.words[1] in known[command.words[0]]


def test_the_repository_runs_the_checks_that_contributing_names() -> None:
    """The workflow of this repository runs ``.ci/run``, which is there and can be executed."""
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.mark.parametrize(
    "path", [".pre-commit-config.yaml", ".github/dependabot.yml", ".github/ISSUE_TEMPLATE/bug.yml"]
)
def test_settings_of_the_repository_are_yaml(path: str) -> None:
    """One mapping each."""
    assert isinstance(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")), dict)
