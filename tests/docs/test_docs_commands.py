"""Commands: real parsers take every command of README, docs and workflows; test_docs_runs.py runs them."""

from __future__ import annotations

import configparser
import os
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from documented_scripts import parse_script
from freezebench import cli
from snippets import COMMANDS, ROOT, Command, of_language, of_program, program, write_files

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


def each_once(*names: str) -> list[Command]:
    """Return the commands of some programs; of those that several pages have, that of one page."""
    return list({command.words: command for command in of_program(*names)}.values())


@pytest.mark.parametrize("command", each_once("pytest"), ids=str)
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


@pytest.mark.parametrize("command", each_once("freezebench"), ids=str)
def test_freezebench_commands_are_understood(command: Command) -> None:
    """The command line's own parser takes them."""
    words = list(command.words)
    _, unknown = cli._parser().parse_known_args(words[words.index("freezebench") + 1 :])
    assert unknown == []


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
