"""GitHub Actions: annotations of tests, and the summary of a step.

The formats are those of "Workflow commands for GitHub Actions" in GitHub's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from freezebench.report.markdown import results_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.report.summary import Summary

Level = Literal["error", "warning"]

# GitHub refuses the whole summary of a step that is larger.
MAX_SUMMARY_BYTES = 1024 * 1024

_CUT = "\n\n_Cut here: a step summary holds 1 MiB. The rest stands in the log and in --freeze-report._\n"
# What Markdown, GitHub's tables and HTML give a meaning to.
_SPECIAL = str.maketrans(
    {**{char: f"\\{char}" for char in "\\`*_[]|~#"}, "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": ""}
)


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One note at a place in the code, as GitHub shows it beside a pull request.

    Attributes:
        level: ``error`` or ``warning``.
        title: What the note is about: the test.
        message: What happened.
        file: Path relative to the workspace; ``None`` without a place.
        line: Line in that file, from 1; ``None`` where it is not known.
    """

    level: Level
    title: str
    message: str
    file: str | None = None
    line: int | None = None

    def command(self) -> str:
        """Return the workflow command, one line whatever the texts hold."""
        properties: dict[str, str] = {}
        if self.file is not None:
            properties["file"] = self.file
            if self.line is not None:
                properties["line"] = str(self.line)
        properties["title"] = self.title
        texts = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
        return f"::{self.level} {texts}::{_data(self.message)}"


def annotation(report: Any, root: Path, environment: Mapping[str, str]) -> Annotation | None:
    """Return the annotation of a freeze test: an error if it failed, a warning if it is undecided, else ``None``.

    Args:
        report: pytest's report of the test. ``freezebench_standing`` and ``freezebench_message`` among its
            ``user_properties`` say what its limits came to, if it got that far.
        root: pytest's root folder, which the report's location is relative to.
        environment: Where ``GITHUB_WORKSPACE`` stands.
    """
    # What the test recorded says nothing about an error in a fixture around it.
    properties = dict(report.user_properties) if report.when == "call" else {}
    standing, said = properties.get("freezebench_standing"), properties.get("freezebench_message")
    if not (report.failed or standing == "undecided"):
        return None
    crash = getattr(report.longrepr, "reprcrash", None)
    failure = str(crash.message if crash else report.longreprtext)
    file, line, _ = report.location
    return Annotation(
        level="error" if report.failed else "warning",
        title=report.nodeid,
        # A test may pass its limits and fail by an assertion of its own: then that is the message.
        message=failure if said is None or standing == "ok" else str(said),
        # What fails for the session as a whole has no line, and its file is none.
        file=None if line is None else workspace_path(root / file, environment),
        line=None if line is None else line + 1,
    )


def annotation_commands(reports: Iterable[Any], root: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the workflow commands for the freeze tests among pytest's reports, in order.

    Args:
        reports: Every report of the session; other tests' are left alone.
        root: pytest's root folder.
        environment: Where ``GITHUB_WORKSPACE`` stands.
    """
    # Freeze tests carry their marker among the keywords; a failure of the whole session has a node id of ours.
    ours = (
        report
        for report in reports
        if "freeze" in getattr(report, "keywords", ()) or report.nodeid.startswith("freezebench::")
    )
    found = (annotation(report, root, environment) for report in ours)
    return [each.command() for each in found if each is not None]


def workspace_path(path: Path, environment: Mapping[str, str]) -> str:
    """Return a path as annotations need it: relative to ``GITHUB_WORKSPACE``, with slashes; others stay absolute."""
    workspace = environment.get("GITHUB_WORKSPACE")
    if workspace:
        # On macOS and in containers the workspace is often reached through a link.
        whole, root = path.resolve(), Path(workspace).resolve()
        if whole.is_relative_to(root):
            return whole.relative_to(root).as_posix()
    return path.as_posix()


def step_summary(summaries: Sequence[Summary], comparison: Sequence[str] = ()) -> str:
    """Return the summaries of a session as Markdown; names from models and data stay text.

    Args:
        summaries: One per experiment.
        comparison: Lines of the comparison with a saved run, as the terminal shows them.
    """
    parts = ["# freezebench"]
    for summary in summaries:
        lines = "\n".join(f"- {_text(line)}" for line in summary.lines)
        parts += [f"## {_text(summary.title)}", results_table(summary), lines]
    if comparison:
        # Its tables are aligned by spaces, so indentation makes a block that no text can close.
        block = "\n".join(f"    {line}" for text in comparison for line in text.splitlines())
        parts += ["## Compared with a saved run", block]
    return "\n\n".join(parts) + "\n"


def report_to_github(
    reports: Iterable[Any],
    summaries: Sequence[Summary],
    comparison: Sequence[str],
    *,
    root: Path,
    environment: Mapping[str, str],
) -> list[str]:
    """Add the summaries to that of the step and return the lines that the log must hold; nothing outside Actions.

    Args:
        reports: pytest's reports of the session.
        summaries: One per experiment.
        comparison: Lines of the comparison with a saved run.
        root: pytest's root folder.
        environment: The process's environment variables.
    """
    if environment.get("GITHUB_ACTIONS", "").lower() != "true":
        return []
    lines = annotation_commands(reports, root, environment)
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path and summaries:
        problem = append_step_summary(Path(path), step_summary(summaries, comparison))
        lines += [f"freezebench: warning: {problem}"] if problem else []
    return lines


def append_step_summary(path: Path, text: str, *, max_bytes: int = MAX_SUMMARY_BYTES) -> str | None:
    """Append Markdown to the step's summary file, cut at a line with a note where it would grow too large.

    Args:
        path: What ``GITHUB_STEP_SUMMARY`` names.
        text: Markdown.
        max_bytes: Size that the file may reach.

    Returns:
        ``None``, or why it could not be written: a full disk must not turn a good run red.
    """
    try:
        room = max_bytes - (path.stat().st_size if path.exists() else 0)
        content = cut(text, room)
        if not content:
            return f"the step summary {path} is full: nothing was added to it"
        with path.open("ab") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"the step summary could not be written to {path} ({reason})"
    return None


def cut(text: str, max_bytes: int) -> bytes:
    """Return text as UTF-8 of at most that many bytes: whole lines and a note, or nothing if even that has no room."""
    content = text.encode("utf-8", errors="replace")
    if len(content) <= max_bytes:
        return content
    note = _CUT.encode()
    room = max_bytes - len(note)
    if room < 0:
        return b""
    # A line is never cut, and so neither is a character of several bytes.
    return content[: content.rfind(b"\n", 0, room) + 1] + note


def _data(text: str) -> str:
    """Return the message of a workflow command; per cent first, or the other escapes would be escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Return a property of a workflow command, which comma and colon would end."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _text(text: str) -> str:
    """Return one line of plain text in Markdown; line breaks from names would end the list."""
    return " ".join(text.split()).translate(_SPECIAL)
