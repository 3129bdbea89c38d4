"""Annotations of tests and the summary of a step in GitHub Actions.

The formats are those of "Workflow commands for GitHub Actions" in GitHub's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from freezebench.escaping import annotation_message, annotation_property, markdown_text, terminal_line
from freezebench.report.markdown import overview_parts, results_table, subset_parts
from freezebench.verdicts.vocabulary import STANDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezebench.report.overview.overview import Overview
    from freezebench.report.summary import Summary

Level = Literal["error", "warning"]

# GitHub rejects a step summary that is larger.
MAX_SUMMARY_BYTES = 1024 * 1024

# The outcomes of tests as JUnit XML has them.
_INCONCLUSIVE = STANDINGS["undecided"].word.lower()
_NO_FAILURE = {STANDINGS["ok"].word.lower(), STANDINGS["no_limit"].word.lower()}

_CUT = "\n\n_Cut here: a step summary holds 1 MiB. The rest is in the log and in --freeze-report._\n"


class PytestReport(Protocol):
    """The part of pytest's report of a test that annotations need, so that the report does not import pytest."""

    @property
    def nodeid(self) -> str:
        """Node id of the test."""

    @property
    def when(self) -> str | None:
        """Phase of the test: ``setup``, ``call`` or ``teardown``."""

    @property
    def failed(self) -> bool:
        """Whether the phase failed."""

    @property
    def skipped(self) -> bool:
        """Whether the phase was skipped."""

    @property
    def location(self) -> tuple[str, int | None, str]:
        """File relative to pytest's root, line from 0, and name."""

    @property
    def user_properties(self) -> Sequence[tuple[str, object]]:
        """Values that the test recorded, by name."""

    @property
    def longrepr(self) -> object:
        """The failure."""

    @property
    def longreprtext(self) -> str:
        """The failure as text."""


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One note at a line of the code, which GitHub shows in a pull request.

    Attributes:
        level: ``error`` or ``warning``.
        title: Node id of the test.
        message: Why the test failed or is inconclusive.
        file: Path relative to the workspace; ``None`` if the note belongs to no file.
        line: Line in that file, from 1; ``None`` if it is unknown.
    """

    level: Level
    title: str
    message: str
    file: str | None = None
    line: int | None = None

    def command(self) -> str:
        """Return the workflow command, which is one line for any text."""
        properties: dict[str, str] = {}
        if self.file is not None:
            properties["file"] = self.file
            if self.line is not None:
                properties["line"] = str(self.line)
        properties["title"] = self.title
        texts = ",".join(f"{name}={annotation_property(text)}" for name, text in properties.items())
        return f"::{self.level} {texts}::{annotation_message(self.message)}"


def annotation(report: PytestReport, root: Path, environment: Mapping[str, str]) -> Annotation | None:
    """Return the annotation of a freeze test: an error if it failed, a warning if it is inconclusive, else ``None``.

    Args:
        report: pytest's report of the test. Its ``user_properties`` hold ``freezebench_standing`` and
            ``freezebench_message`` once its limits have been judged.
        root: pytest's root folder, to which the report's location is relative.
        environment: Environment variables, ``GITHUB_WORKSPACE`` among them.
    """
    # The recorded standing does not cover an error in a fixture around the test. A fixture may train, too: then the
    # inconclusive test is skipped before its call.
    has_standing = report.when == "call" or (report.when == "setup" and report.skipped)
    properties = dict(report.user_properties) if has_standing else {}
    standing, recorded = properties.get("freezebench_standing"), properties.get("freezebench_message")
    if not (report.failed or standing == _INCONCLUSIVE):
        return None
    # A crash has the message of the exception alone; the whole text would fill the pull request.
    crash = getattr(report.longrepr, "reprcrash", None)
    failure = str(crash.message if crash else report.longreprtext)
    file, line, _ = report.location
    return Annotation(
        level="error" if report.failed else "warning",
        title=report.nodeid,
        # A test may pass its limits and fail by an assertion of its own, which is then the message.
        message=failure if recorded is None or standing in _NO_FAILURE else str(recorded),
        # A failure of the whole session has neither file nor line.
        file=None if line is None else workspace_path(root / file, environment),
        line=None if line is None else line + 1,
    )


def annotation_commands(reports: Iterable[PytestReport], root: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the workflow commands for the freeze tests among pytest's reports, in order.

    Args:
        reports: Every report of the session; those of other tests are ignored.
        root: pytest's root folder.
        environment: Environment variables, ``GITHUB_WORKSPACE`` among them.
    """
    # Freeze tests have their marker among the keywords; a failure of the whole session has a node id of this plugin.
    own_reports = (
        report
        for report in reports
        if "freeze" in getattr(report, "keywords", ()) or report.nodeid.startswith("freezebench::")
    )
    annotations = (annotation(report, root, environment) for report in own_reports)
    return [note.command() for note in annotations if note is not None]


def workspace_path(path: Path, environment: Mapping[str, str]) -> str:
    """Return a path relative to ``GITHUB_WORKSPACE``, with slashes; a path outside the workspace stays absolute."""
    workspace = environment.get("GITHUB_WORKSPACE")
    if workspace:
        # On macOS and in containers the workspace is often reached through a link.
        whole, root = path.resolve(), Path(workspace).resolve()
        if whole.is_relative_to(root):
            return whole.relative_to(root).as_posix()
    return path.as_posix()


def step_summary(
    summaries: Sequence[Summary],
    comparison: Sequence[str] = (),
    complaints: Sequence[str] = (),
    overview: Overview | None = None,
) -> str:
    """Return the summaries of a session as Markdown; names from models and data stay text.

    Args:
        summaries: One per experiment.
        comparison: Lines of the comparison with a saved run, as the terminal shows them.
        complaints: Sentences on what fails the session besides its tests.
        overview: The experiments at a glance, where there are several.
    """
    parts = ["# freezebench", *(f"**{markdown_text(complaint)}**" for complaint in complaints)]
    parts += [] if overview is None else overview_parts(overview)
    for summary in summaries:
        headline, *rest = map(markdown_text, summary.answer_lines)
        lines = "\n".join(f"- {markdown_text(line)}" for line in (*summary.lines, *summary.notes))
        parts += [f"## {markdown_text(summary.title)}", f"**{headline}**", *rest, results_table(summary)]
        parts += [*subset_parts(summary), lines]
    if comparison:
        # The tables are aligned by spaces. An indented block, unlike a fenced one, cannot be closed by a text in it.
        block = "\n".join(f"    {terminal_line(line)}" for line in comparison)
        parts += ["## Compared with a saved run", block]
    return "\n\n".join(parts) + "\n"


def report_to_github(
    reports: Iterable[PytestReport],
    summaries: Sequence[Summary],
    comparison: Sequence[str],
    *,
    complaints: Sequence[str] = (),
    overview: Overview | None = None,
    root: Path,
    environment: Mapping[str, str],
) -> list[str]:
    """Append the summaries to the step summary and return the annotations as lines for the log.

    Outside GitHub Actions nothing is written and nothing is returned.

    Args:
        reports: pytest's reports of the session.
        summaries: One per experiment.
        comparison: Lines of the comparison with a saved run.
        complaints: Sentences on what fails the session besides its tests.
        overview: The experiments at a glance, where there are several.
        root: pytest's root folder.
        environment: The process's environment variables.
    """
    if environment.get("GITHUB_ACTIONS", "").lower() != "true":
        return []
    # Annotations are lines of the log; the step summary is a file that other steps append to as well.
    lines = annotation_commands(reports, root, environment)
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path and (summaries or complaints):
        problem = append_step_summary(Path(path), step_summary(summaries, comparison, complaints, overview))
        lines += [terminal_line(f"freezebench: warning: {problem}")] if problem else []
    return lines


def append_step_summary(path: Path, text: str, *, max_bytes: int = MAX_SUMMARY_BYTES) -> str | None:
    """Append Markdown to the file of the step summary, cut with a note if it is large; return a warning if that fails.

    Args:
        path: The file that ``GITHUB_STEP_SUMMARY`` names.
        text: Markdown.
        max_bytes: Largest size of the file.

    Returns:
        Why it could not be written, or ``None``: a full disk must not fail a session.
    """
    try:
        free_bytes = max_bytes - (path.stat().st_size if path.exists() else 0)
        content = cut(text, free_bytes)
        if not content:
            return f"the step summary {path} is full: nothing was added to it"
        with path.open("ab") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"the step summary could not be written to {path} ({reason})"
    return None


def cut(text: str, max_bytes: int) -> bytes:
    """Return whole lines of a text and a note in at most ``max_bytes`` of UTF-8; nothing if the note is larger."""
    content = text.encode("utf-8", errors="replace")
    if len(content) <= max_bytes:
        return content
    note = _CUT.encode()
    free_bytes = max_bytes - len(note)
    if free_bytes < 0:
        return b""
    # Cutting at the end of a line also keeps characters of several bytes whole.
    return content[: content.rfind(b"\n", 0, free_bytes) + 1] + note
