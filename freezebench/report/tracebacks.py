"""The end of what invalid runs left: a traceback, or the last lines that a process printed before its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import last_lines
from freezebench.escaping import markdown_text, visible
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.verdicts.judge import ConfigurationResult


@dataclass(frozen=True, kw_only=True)
class Traceback:
    """The end of a log, and the runs that have it.

    Attributes:
        title: The runs, as a sentence with a colon.
        lines: The last lines of the log.
    """

    title: str
    lines: tuple[str, ...]


def tracebacks(results: Iterable[ConfigurationResult]) -> list[Traceback]:
    """Return the logs of invalid runs; one that several runs have is there once."""
    runs: dict[str, list[str]] = {}
    for result in results:
        for record in result.records:
            if not record.is_valid and record.log.strip():
                runs.setdefault(last_lines(record.log), []).append(f"{record.spec.freeze} seed {record.spec.seed}")
    return [
        Traceback(title=f"The last lines of {listed(names, 5)}:", lines=tuple(log.split("\n")))
        for log, names in runs.items()
    ]


def markdown_tracebacks(shown: Sequence[Traceback]) -> list[str]:
    """Return the blocks of Markdown that show logs: indented, so that no line of a log can end the block."""
    blocks = []
    for traceback in shown:
        blocks.append(markdown_text(traceback.title))
        blocks.append("\n".join(f"    {visible(line)}".rstrip() for line in traceback.lines))
    return blocks
