"""Every snippet of README and docs is executed or checked; the tables of options and presets are made from the code."""

from __future__ import annotations

import configparser
import contextlib
import importlib
import importlib.util
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import datasets  # noqa: F401 - pytester forgets what its sessions import, and this one cannot be imported twice
import pytest
from markdown_it import MarkdownIt

import freezebench
from freezebench import cli
from freezebench.config.options import OPTIONS
from freezebench.meters.metrics import METRICS
from freezebench.specs.presets import PRESETS
from snippets import BLOCKS, PAGES, ROOT, Block, Command, commands_in
from tiny import write_data, write_model

if TYPE_CHECKING:
    from types import ModuleType

INI_KEYS = {option.ini for option in OPTIONS}
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
}
NO_TESTS_COLLECTED = 5


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pages name: a checkpoint of six layers, reviews, sentence pairs, and the benchmark."""
    folder = tmp_path_factory.mktemp("material")
    write_model(folder / "my-checkpoint", n_layers=6)
    write_data(folder / "my-reviews")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def workplace(material: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working folder with that material, and an environment like that of a person at a terminal."""
    for path in material.iterdir():
        (pytester.path / path.name).symlink_to(path)
    for name in ("CI", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
    monkeypatch.syspath_prepend(str(pytester.path))
    return pytester.path


def of_language(*languages: str) -> list[Block]:
    """Return the blocks in some languages."""
    return [block for block in BLOCKS if block.language in languages]


def write_files(page: str, folder: Path) -> None:
    """Write the blocks of a page that are files."""
    for block in BLOCKS:
        if block.page == page and block.file_name:
            path = folder / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


# --- pages ----------------------------------------------------------------------------------------------------------


def test_every_block_has_a_rule() -> None:
    """A block in a language that no test below checks would be a snippet that nothing executes."""
    checked = {"python", "sh", "yaml", "ini", "toml", "json", "text"}
    assert [str(block) for block in BLOCKS if block.language not in checked] == []


def test_no_code_hides_in_indented_blocks() -> None:
    """Markdown also takes four spaces for code, which the other tests would not see."""
    for page in PAGES:
        tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
        lines = [token.map[0] + 1 for token in tokens if token.type == "code_block" and token.map]
        # mkdocstrings takes its options from an indented block.
        text = page.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if not text[line - 2].startswith(":::")] == [], page


def test_the_readme_is_short() -> None:
    """It leads to the docs instead of repeating them."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 300


def test_the_readme_names_the_two_commands() -> None:
    """Word for word: people and programs copy them."""
    commands = [block.text.strip() for block in of_language("sh") if block.page == "README.md"]
    assert commands[:2] == [
        "python -m pip install tox && tox run -e bench",
        "python -m pip install tox && tox run -e tests",
    ]


def test_links_between_pages_lead_somewhere() -> None:
    """MkDocs checks the links inside docs; those of README and the other pages at the top are checked here."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_named_files_exist() -> None:
    """CONTRIBUTING leads to files and folders of the repository; the names in capitals are defined there."""
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines():
        for name in re.findall(r"`((?:freezebench|tests|benchmarks|docs)/[\w./]*)`", line):
            assert (ROOT / name).exists() or name.endswith(("x/y.py", "x_y.py")), name
        for symbol, name in re.findall(r"`(\w+)` in `([\w./]+\.py)`", line):
            assert re.search(rf"^(def |class )?{symbol}\b", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE), (
                symbol
            )


def test_documented_names_exist() -> None:
    """Names that the site documents from their docstrings are where the pages say."""
    for page in PAGES:
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            module, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute), f"{page}: {name}"


def test_every_public_name_is_documented() -> None:
    """In the reference of the Python interface."""
    text = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^::: freezebench\.(\w+)$", text, re.MULTILINE)) == set(freezebench.__all__)


# --- generated tables -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The hook that fills in tables when the site is built."""
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_options_shows_every_option(tables: ModuleType) -> None:
    """With its flag, its ini key and its help text."""
    page = tables.on_page_markdown((ROOT / "docs/reference/options.md").read_text(encoding="utf-8"))
    for option in OPTIONS:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{option.flag}"))
        assert f"| `{option.ini}` |" in row
        assert option.help.replace("|", "/") in row


def test_the_page_of_presets_shows_every_preset(tables: ModuleType) -> None:
    """With its model, its data and its number of epochs."""
    page = tables.on_page_markdown((ROOT / "docs/reference/presets.md").read_text(encoding="utf-8"))
    for preset in PRESETS.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{preset.name}` |"))
        assert f"| `{preset.model}` | `{preset.data.source}` | {preset.protocol.num_epochs} |" in row


def test_the_page_of_metrics_shows_every_metric(tables: ModuleType) -> None:
    """With its unit and its label."""
    page = tables.on_page_markdown((ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8"))
    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.unit} | {metric.label} |" in page


# --- Python ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted({block.page for block in of_language("python")}))
def test_python_snippets_run(page: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, in one namespace per page; a block titled Output shows what the one before it printed."""
    monkeypatch.chdir(workplace)
    write_files(page, workplace)
    namespace: dict[str, object] = {"__name__": "__snippet__"}
    printed = None
    for block in (block for block in BLOCKS if block.page == page):
        if block.language == "python" and not block.file_name:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block.text, str(block), "exec"), namespace)  # noqa: S102 - that is the test
            printed = output.getvalue()
        elif block.title == "Output":
            assert printed == block.text, block


def test_text_blocks_are_outputs_diagrams_or_recorded() -> None:
    """An output belongs to a Python block before it; recorded output says where and when it was recorded."""
    for block in of_language("text"):
        kind = block.title.partition(":")[0]
        assert kind in {"Output", "Diagram", "Recorded output"}, block
        if kind == "Recorded output":
            assert len(block.title) > len("Recorded output: "), block


# --- data and settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of_language("json"), ids=str)
def test_json_snippets_are_json(block: Block) -> None:
    """One value each."""
    json.loads(block.text)


@pytest.mark.parametrize("block", of_language("ini", "toml"), ids=str)
def test_settings_snippets_are_understood(block: Block, workplace: Path, pytester: pytest.Pytester) -> None:
    """Every key exists, and pytest takes every value."""
    if block.language == "ini":
        parser = configparser.ConfigParser()
        parser.read_string(block.text)
        keys = set(parser["pytest"])
        file = workplace / "pytest.ini"
    else:
        keys = set(tomllib.loads(block.text)["tool"]["pytest"]["ini_options"])
        file = workplace / "pyproject.toml"
    assert keys <= INI_KEYS
    file.write_text(block.text, encoding="utf-8")
    result = pytester.runpytest_inprocess("--collect-only", "-q", "benchmarks/test_freeze_grid.py")
    assert result.ret == 0


# --- commands -------------------------------------------------------------------------------------------------------


def workflow_commands(block: Block) -> list[Command]:
    """Return the commands in the steps of a workflow."""
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(block.text)["jobs"].values()
    return [
        command for job in jobs for step in job["steps"] if "run" in step for command in commands_in(block, step["run"])
    ]


def all_commands() -> list[Command]:
    """Return every command of every page, each once."""
    found = [command for block in of_language("sh") for command in commands_in(block)]
    found += [command for block in of_language("yaml") for command in workflow_commands(block)]
    return list({str(command): command for command in found}.values())


COMMANDS = all_commands()


def program(command: Command) -> str:
    """Return what runs: ``pytest``, ``tox``, ``freezebench``, ``pip``, a script, or the whole command."""
    words = [Path(command.words[0]).name, *command.words[1:]]
    match words:
        case ["python" | "python3", "-m", module, *_]:
            return module
        case ["python" | "python3", script, *_]:
            return script
        case [name, *_]:
            return name
    return ""


def of_program(*names: str) -> list[Command]:
    """Return the commands of some programs."""
    return [command for command in COMMANDS if program(command) in names]


def pytest_arguments(command: Command) -> list[str]:
    """Return pytest's arguments, with local material in the place of what only the Hub has."""
    at = next(index for index, word in enumerate(command.words) if Path(word).name == "pytest")
    words = [os.path.expandvars(word) for word in command.words[at + 1 :]]
    for path in (word for word in words if word.startswith("tests/")):
        assert (ROOT / path).exists()
    words = ["benchmarks" if word.startswith("tests/") else word for word in words]
    return [*words, *(LOCAL if any(word.startswith(FROM_HUB) for word in words) else ())]


def test_every_command_has_a_rule() -> None:
    """A program that no test below checks would be a command that nothing executes."""
    scripts = {name for name in map(program, COMMANDS) if name.startswith("benchmarks/")}
    checked = {"pytest", "tox", "freezebench", "pip", "git", "ruff", *scripts}
    assert [
        str(command) for command in COMMANDS if program(command) not in checked and command.text not in PLAIN_COMMANDS
    ] == []


@pytest.mark.parametrize("command", of_program("pytest"), ids=str)
def test_pytest_commands_are_understood(command: Command, workplace: Path, pytester: pytest.Pytester) -> None:
    """Pytest takes every option and value, and finds tests."""
    write_files(command.block.page, workplace)
    # pytest-benchmark warns that nothing ran, and that there is nothing to compare with.
    quiet = ("-W", "ignore::pytest_benchmark.logger.PytestBenchmarkWarning")
    result = pytester.runpytest_inprocess("--collect-only", "-q", *quiet, *pytest_arguments(command))
    if "not freeze" in command.words:
        assert result.ret == NO_TESTS_COLLECTED
    else:
        assert result.ret == 0


# Pages whose commands are also run as they are written, since they build on one another.
RUN_PAGES = ["README.md", "docs/tutorial/first-answer.md", "docs/how-to/compare.md"]
# What a page names wins over these. At this rate the tiny model learns: a baseline that does not is invalid.
TINY_DEFAULTS = """
[pytest]
freeze_model = ./my-checkpoint
freeze_data = ./my-reviews
freeze_grid = none,emb
freeze_epochs = 8
freeze_lr = 1e-2
freeze_batch_size = 8
freeze_precision = float32
freeze_device = cpu
"""


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_PAGES)
def test_commands_of_a_page_run(page: str, workplace: Path) -> None:
    """They train and judge; whether a tiny model passes its limits (0 or 1, under --strict 2) says nothing here."""
    write_files(page, workplace)
    (workplace / "pytest.ini").write_text(TINY_DEFAULTS, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in (command for command in of_program("pytest", "freezebench") if command.block.page == page):
        shell = ["bash", "-c", command.text]
        result = subprocess.run(shell, capture_output=True, text=True, check=False, env=environment)
        output = f"{command.text}\n{result.stdout}\n{result.stderr}"
        assert result.returncode in ({0, 1, 2} if "--strict" in command.words else {0, 1}), output
        if "doctor" not in command.words:
            expected = "nothing runs" if "--freeze-plan" in command.words else "points"
            assert expected in result.stdout, output


def tox_environments() -> dict[str, str]:
    """Return the commands of every tox environment by its name."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    base = parser["testenv"]["commands"]
    named = {
        name.removeprefix("testenv:"): parser[name].get("commands", base)
        for name in parser.sections()
        if name.startswith("testenv:")
    }
    return {"tests": base, **named}


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
    assert options.command in {"doctor", "compare", "report"}
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
    from packaging.requirements import Requirement

    words = iter(command.words[command.words.index("install") + 1 :])
    for word in words:
        if word in {"--extra-index-url", "--index-url"}:
            next(words)
        elif word in {"-e", "-q"}:
            continue
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


# --- workflows ------------------------------------------------------------------------------------------------------

WORKFLOWS = of_language("yaml")


def test_there_is_one_workflow_for_each_kind_of_runner() -> None:
    """One for hosted CPUs, one for a GPU of one's own."""
    yaml = pytest.importorskip("yaml")
    jobs = {name: job for block in WORKFLOWS for name, job in yaml.safe_load(block.text)["jobs"].items()}
    assert {name: job["runs-on"] for name, job in jobs.items()} == {
        "cpu": "ubuntu-latest",
        "gpu": ["self-hosted", "linux", "gpu"],
    }


@pytest.mark.parametrize("block", WORKFLOWS, ids=str)
def test_workflows_compare_pull_requests_and_renew_the_reference(block: Block) -> None:
    """Pull requests are compared with the reference, and pushes save a new one."""
    yaml = pytest.importorskip("yaml")
    (job,) = yaml.safe_load(block.text)["jobs"].values()
    commands = {step["if"]: step["run"] for step in job["steps"] if "pytest benchmarks" in step.get("run", "")}
    assert "--benchmark-compare" in commands["github.event_name == 'pull_request'"]
    assert "--benchmark-save=main" in commands["github.event_name == 'push'"]
