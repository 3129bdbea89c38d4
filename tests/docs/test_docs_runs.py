"""Commands run: those of pytest and of freezebench on every page, on tiny models, in this process.

A page's files are written, and its commands run in their order in one folder. What a page shows as "Output of the
command" is compared with what the command before it printed.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import freezebench
from freezebench import cli
from freezebench.records import contention
from snippets import BLOCKS, ROOT, TINY_DEFAULTS, Block, Command, commands_in, program, write_files

# Commands with these words need processes, machines or projects of their own: they run in these tests.
RUN_ELSEWHERE = {
    "init": "tests/cli/test_cli_init_command.py",
    "--freeze-cluster": "tests/cluster/test_cluster_losses.py",
    "--freeze-devices": "tests/pytest_plugin/test_pytest_plugin_devices.py",
    "--freeze-timeout": "tests/pytest_plugin/test_pytest_plugin_faults.py",
}
# Pages whose commands other tests run: trackers need their libraries, and tasks need models without a fine-tuned head.
OTHER_TESTS = {"docs/how-to/export.md": "test_docs_export.py", "docs/how-to/tasks.md": "test_pytest_plugin_tasks.py"}
# What is large or on the Hub is replaced by the material. Tiny models need higher rates and more epochs.
TINY_WORDS = (
    (r"label-column=rating", "label-column=label"),
    (r"tensorboard,wandb", "tensorboard"),  # test_docs_export.py logs to both
    (r"(model=\"?)(embedded|distilbert-base-uncased)", r"\1./my-checkpoint"),
    (r"(=\"?)(SetFit/sst2|sst2|reviews)(:\w+)?(?=\"|$)", r"\1./my-reviews"),
    (r"(?<==|:)\d[\d.]*e-\d+", "1e-2"),
    (r"(epochs=)(\d+)", r"\g<1>1\2"),
    (r"(max[_-]drop=)([45])(?=,|$)", r"\g<1>\g<2>0"),  # what 40 test sentences can resolve
    # Long sessions of explanations: fewer trials, and three configurations of the ladder.
    (r"(tune-lr=)[\d.,]+", r"\g<1>1,3"),
    (r"(grid=)all$", r"\1none,emb,emb+L0-4"),
)
# Half of the small test split is left, as in the notebook: two seeds with which the tiny model learns. Values for deep
# configurations need these in the grid.
_DEEP = "--freeze-grid=none,emb+L0-4,emb+L0-5"
ADDED = {
    "--freeze-preset=notebook": "--freeze-num-seeds=2",
    "--freeze-inconclusive=skip,emb+L0-5:pass": _DEEP,
    "--freeze-lr=5e-5,emb+L0-4:5e-4,emb+L0-5:1e-3": _DEEP,
    "--freeze-max-drop=2,emb+L0-4:5,emb+L0-5:12": _DEEP,
}
# What the readers of a page have already.
BEFORE = {
    "docs/reference/command-line.md": (
        "pytest benchmarks --benchmark-save=main --freeze-report=OLD",
        "pytest benchmarks --benchmark-save=main --freeze-report=NEW",
        "pytest benchmarks --benchmark-save=main --freeze-report=before",
        "pytest benchmarks --freeze-report=after",
        "pytest benchmarks --freeze-report=reports --freeze-store=my-runs",
    ),
}
WRITES = ("--freeze-report=", "--freeze-save=", "--freeze-store=", "--benchmark-save=", "--freeze-prefix-cache=")
UNLEARNED = "The experiment failed"
NO_TESTS_COLLECTED = 5
USAGE_ERROR = 4
PAGES = sorted({block.page for block in BLOCKS if block.language == "sh"} - {"CONTRIBUTING.md", *OTHER_TESTS})


def tiny(text: str) -> str:
    """Return a word of a command, or the source of a test, in the names and numbers of tiny models."""
    for pattern, replacement in TINY_WORDS:
        text = re.sub(pattern, replacement, text)
    return text


def is_run_here(command: Command) -> bool:
    """Return whether the command is one of pytest or freezebench that needs one process alone."""
    names = {word.partition("=")[0] for word in command.words}
    return program(command) in {"pytest", "freezebench"} and not names & set(RUN_ELSEWHERE)


@dataclass(kw_only=True)
class Shell:
    """Runs the commands of a page in this process.

    Attributes:
        pytester: Starts sessions of pytest.
        capsys: Has what freezebench's command line prints.
        repeated: Commands that ran on this or an earlier page and left nothing behind.
        output: What the last command printed.
        code: Its exit code.
    """

    pytester: pytest.Pytester
    capsys: pytest.CaptureFixture[str]
    repeated: set[tuple[str, ...]]
    output: str = ""
    code: int = field(default=0)

    def run(self, command: Command) -> None:
        """Run a command, its patterns of paths filled in."""
        words = [name for word in command.words for name in (map(str, Path().glob(word)) if "*" in word else [word])]
        arguments = [tiny(word) for word in words[words.index(program(command)) + 1 :]]
        arguments += [added for word, added in ADDED.items() if word in words]
        if program(command) == "freezebench":
            self.code = cli.main(arguments)
            captured = self.capsys.readouterr()
            self.output = captured.out + captured.err
            return
        isolation = [] if any(word.startswith("--freeze-isolate") for word in arguments) else ["--freeze-isolate=none"]
        result = self.pytester.runpytest_inprocess("-W", "default", *isolation, *arguments)
        self.code, self.output = result.ret, "\n".join([*result.outlines, *result.errlines])
        self.capsys.readouterr()

    def is_repeated(self, command: Command) -> bool:
        """Return whether the same command ran before, and remember it if it leaves nothing behind."""
        if any(word.startswith(WRITES) or word.endswith(".py") for word in command.words):
            return False
        is_known = command.words in self.repeated
        self.repeated.add(command.words)
        return is_known

    def check(self, command: Command, shown: Block | None) -> None:
        """Check that the command did what it is there for, and printed what the page shows."""
        at = f"{command}\n{self.output}"
        if shown is not None:
            lines = iter(line.rstrip() for line in self.output.splitlines())
            missing = [line for line in shown.text.splitlines() if line not in {"", "…"} and line.rstrip() not in lines]
            assert not missing, f"{shown}: {missing}\n{at}"
        if shown is not None and self.code == USAGE_ERROR:
            return
        if "not freeze" in command.words:
            assert self.code == NO_TESTS_COLLECTED, at
            return
        # Whether a tiny model keeps its limits says nothing; that it learned, so that it was judged, does.
        assert self.code in ({0, 1, 2} if "--strict" in command.words else {0, 1}), at
        assert UNLEARNED not in self.output, at
        if program(command) == "pytest":
            assert ("nothing runs" if "--freeze-plan" in command.words else "freezebench:") in self.output, at


@pytest.fixture(scope="module")
def _modules_are_imported_once() -> None:
    """Pytester forgets what its sessions import: classes would be made anew in each, which takes a second."""
    # MLflow imports this backport, which puts its own finder of packages into the place of the standard library's.
    with suppress(ImportError):
        importlib.import_module("importlib_metadata")
    for module in pkgutil.walk_packages(freezebench.__path__, "freezebench."):
        # Trackers and clusters need libraries that are not installed everywhere.
        if not module.name.endswith("__main__") and not {"tracking", "ray"} & set(module.name.split(".")):
            importlib.import_module(module.name)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the pages share: runs with equal settings, so that they are trained once, and which commands have run."""

    store: Path
    repeated: set[tuple[str, ...]] = field(default_factory=set)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """An empty store."""
    return Kept(store=tmp_path_factory.mktemp("store"))


@pytest.fixture
def shell(
    workplace: Path,
    kept: Kept,
    pytester: pytest.Pytester,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    """A shell in a folder with the material, on a machine on which nothing disturbs runs of milliseconds."""
    (workplace / "tests").mkdir()
    shutil.copy(ROOT / "benchmarks/test_freeze_grid.py", workplace / "tests/test_freezing.py")
    (workplace / "pytest.ini").write_text(f"{TINY_DEFAULTS}freeze_store = {kept.store}\n", encoding="utf-8")
    monkeypatch.setenv("FREEZEBENCH_LOCK_DIR", str(workplace / "turns"))
    monkeypatch.setattr(contention, "CONTENTION_LIMIT", 1.0)
    return Shell(pytester=pytester, capsys=capsys, repeated=kept.repeated)


@pytest.mark.slow
@pytest.mark.usefixtures("pip", "_modules_are_imported_once")
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_run(
    page: str, shell: Shell, workplace: Path, install_packages: Callable[[Path], None]
) -> None:
    """One after another, as readers enter them."""
    write_files(page, workplace)
    for path in workplace.glob("test_*.py"):
        path.write_text(tiny(path.read_text(encoding="utf-8")), encoding="utf-8")
    install_packages(workplace)
    blocks = [block for block in BLOCKS if block.page == page]
    for text in BEFORE.get(page, ()):
        (command,) = commands_in(blocks[0], text)
        shell.run(command)
        shell.check(command, None)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        commands = [command for command in commands_in(block) if is_run_here(command)] if block.language == "sh" else []
        for command in commands:
            is_shown = following is not None and following.title.startswith("Output of the command")
            shown = following if is_shown and command is commands[-1] else None
            if shown is not None or not shell.is_repeated(command):
                shell.run(command)
                shell.check(command, shown)


def test_what_is_run_elsewhere_is() -> None:
    """The tests that the table names use the option."""
    for option, path in RUN_ELSEWHERE.items():
        assert option in (ROOT / path).read_text(encoding="utf-8"), path
