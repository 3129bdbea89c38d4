"""The fenced blocks of README and docs, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)

# What a command names wins over these. At this rate the tiny model learns: a baseline that does not is invalid.
TINY_DEFAULTS = """
[pytest]
freeze_model = ./my-checkpoint
freeze_data = ./my-reviews
freeze_grid = none,emb
freeze_epochs = 8
freeze_lr = 1e-2
freeze_num_seeds = 3
freeze_batch_size = 8
freeze_precision = float32
freeze_device = cpu
"""

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w-]*)(?P<info>.*)$")
_TITLE = re.compile(r'title="([^"]*)"')
_FILE_NAME = re.compile(r"# ([\w./-]+\.(?:py|ya?ml|ini|toml))")
_DATA_FILE = re.compile(r"[\w./-]+\.(?:csv|tsv|jsonl)")  # files without comments are named by the title of their block
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        page: The page that holds it, relative to the repository.
        line: Line number of its opening fence.
        language: The word behind the fence.
        title: The title that the page shows above the block; empty without one.
        text: What it holds.
    """

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The file that the block is the content of, from its first line or its title; ``None`` if it is no file."""
        match = _FILE_NAME.fullmatch(self.text.partition("\n")[0].strip())
        if match:
            return match[1]
        return self.title if _DATA_FILE.fullmatch(self.title) else None


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a shell block.

    Attributes:
        block: The block.
        text: The command as it is written, environment variables included.
        words: The program and its arguments.
    """

    block: Block
    text: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block.page}: {self.text}"


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order.

    Raises:
        ValueError: If a fence is not closed.
    """
    blocks: list[Block] = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        match = _FENCE.match(line)
        if match is None:
            continue
        content = []
        for _, inner in lines:
            if inner.strip() == match["fence"]:
                break
            content.append(inner.removeprefix(match["indent"]))
        else:
            raise ValueError(f"{page}:{number}: the fence is not closed")
        title = _TITLE.search(match["info"])
        blocks.append(
            Block(
                page=str(page.relative_to(ROOT)),
                line=number,
                language=match["language"],
                title=title[1] if title else "",
                text="\n".join(content) + "\n",
            )
        )
    return blocks


def commands_in(block: Block, text: str | None = None) -> list[Command]:
    """Return the commands of a shell block, or of a text such as a workflow's ``run`` key."""
    joined = re.sub(r"\\\n\s*", " ", block.text if text is None else text)
    commands = []
    for line in joined.splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            while words and _ASSIGNMENT.fullmatch(words[0]):
                words = words[1:]
            if words:
                commands.append(Command(block=block, text=part.strip(), words=tuple(words)))
    return commands


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of_language(*languages: str) -> list[Block]:
    """Return the blocks in some languages."""
    return [block for block in BLOCKS if block.language in languages]


def write_files(page: str, folder: Path) -> None:
    """Write the blocks of a page that are files."""
    for block in BLOCKS:
        if block.page == page and block.file_name:
            path = folder / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # a link to what all tests share
            path.write_text(block.text, encoding="utf-8")


def workflow_commands(block: Block) -> list[Command]:
    """Return the commands in the steps of a workflow."""
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
