"""Logging experiments to trackers: a tracker that fails costs no result, and says how to log again."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from freezebench.errors import named
from freezebench.report.tracking.base import without_credentials
from freezebench.report.tracking.content import logged
from freezebench.report.tracking.registry import without_warnings
from freezebench.units import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from freezebench.report.experiment import Experiment
    from freezebench.report.tracking.base import Tracker


@dataclass(frozen=True, kw_only=True)
class LogOutcome:
    """What became of one experiment at one tracker.

    Attributes:
        sentence: What was logged and where, or what went wrong and what to do.
        is_failure: Whether something went wrong.
    """

    sentence: str
    is_failure: bool = False


def log_experiments(
    experiments: Sequence[Experiment],
    tracker: Tracker,
    *,
    again: str,
    reused: Collection[str] | None = None,
    files: Mapping[str, Path] = MappingProxyType({}),
) -> Iterator[LogOutcome]:
    """Log experiments to a tracker, and yield what became of each; none follows one that could not be logged.

    Args:
        experiments: The experiments of one session or report.
        tracker: The tracker.
        again: How to log them again, as a sentence.
        reused: Ids of the runs that an earlier session has trained; ``None``: not known.
        files: Files of their report by name.
    """
    for experiment in experiments:
        name = f"{experiment.model} on {experiment.data_source}"
        try:
            with without_warnings():
                content = logged(experiment, reused=reused, files=files)
                place = tracker.log(content)
        except Exception as error:  # noqa: BLE001 - hours of training must not end in an error of logging
            # A server that does not answer would be waited for with every further experiment.
            cause = without_credentials(named(error)).rstrip(".")
            sentence = f"{name} was not logged completely to {tracker.destination}: {cause}. {again}"
            yield LogOutcome(sentence=sentence, is_failure=True)
            return
        runs = counted(len(content.runs), "run")
        yield LogOutcome(sentence=f"logged {runs} of {name} to {tracker.destination}, {place}")
