"""What is logged to an experiment tracker: an experiment and its runs as parameters, figures and texts by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Parameter = bool | int | float | str

# What the trackers group runs under, unless a variable of their own names something else.
PROJECT = "freezebench"
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """One training run; what was not measured is in none of its mappings.

    Attributes:
        name: Configuration and seed.
        parameters: What determines the run, and the sizes of model and data.
        metrics: Its figures, named as in ``report.json``.
        series: Losses and evaluations during training, as pairs of training steps so far and value.
        tags: Ids, status and versions.
        started_at: Start, ISO 8601 in UTC; empty if it is not known.
        is_valid: Whether the run was completed.
    """

    name: str
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, float]
    series: Mapping[str, Sequence[tuple[int, float]]]
    tags: Mapping[str, str]
    started_at: str = ""
    is_valid: bool = True


@dataclass(frozen=True, kw_only=True)
class LoggedExperiment:
    """One experiment: the verdicts on its configurations, and its runs.

    Attributes:
        name: Model and data set.
        answer: The sentences of the answer, with a line for each.
        markdown: The summary with its table, as ``report.md`` has it.
        parameters: The parameters that all runs share, the margin and the metric.
        metrics: Figures of every configuration, such as ``drop_pp/emb``.
        tags: Verdicts of every configuration, such as ``verdict/emb``, and what is recommended.
        table: Verdicts and figures of every configuration, by name.
        runs: Its runs.
        files: Files of the report by their names in its folder; empty without a report.
    """

    name: str
    answer: str
    markdown: str
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    table: Sequence[Mapping[str, Parameter | None]]
    runs: Sequence[LoggedRun]
    files: Mapping[str, Path] = field(default_factory=dict)


class Tracker(Protocol):
    """Logs experiments to one program, through the program's own library."""

    @property
    def name(self) -> str:
        """Its name in the registry."""

    @property
    def destination(self) -> str:
        """What is logged to: the program, and an address or a folder."""

    def log(self, experiment: LoggedExperiment) -> str:
        """Log one experiment with its runs, and return what it is found by."""


def without_credentials(text: str) -> str:
    """Return a text without the user names and passwords of the web addresses in it."""
    return _CREDENTIALS.sub("", text)
