"""What a session and its worker process send each other: requests, answers and events, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from freezebench.records.events import ProgressEvent, StepRecord, TrainingPaused, TrainingStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.executors.base import DataCacheOptions
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Precision

_EVENTS = {kind.__name__: kind for kind in (TrainingStarted, StepRecord, TrainingPaused)}


class RunRequest(TypedDict):
    """Train a run and, unless ``save_to`` is ``None``, save its model to that folder; answered by the run's record."""

    kind: Literal["run"]
    spec: Mapping[str, Json]
    grid: list[str]
    save_to: str | None


class PreflightRequest(TypedDict):
    """Load and freeze a model and run a batch through it; answered by the ``TrainableSet`` of each configuration."""

    kind: Literal["preflight"]
    spec: Mapping[str, Json]
    grid: list[str]
    may_train_nothing: list[str]
    will_save: bool


class MachineRequest(TypedDict):
    """Look up what runs depend on here; answered by the fields of ``Machine``."""

    kind: Literal["machine"]
    device: str
    precision: Precision


Request = RunRequest | PreflightRequest | MachineRequest


class Message(TypedDict):
    """One line on the worker's standard input.

    Attributes:
        request: What to do.
        result: Path of the file that the answer is written to, whole or not at all.
        path: ``sys.path`` of the session, which tests and plugins may change.
        data_cache: How to make the worker's data cache, for its first request.
    """

    request: Request
    result: str
    path: list[str]
    data_cache: DataCacheOptions


def encode_event(event: ProgressEvent) -> str:
    """Return an event as one line of JSON."""
    # NaN passes: a loss may be one, and both ends are Python.
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def decode_line(line: bytes) -> ProgressEvent | str:
    """Return the event of a line from the worker, or its word: ``ready`` or ``done``."""
    fields = cast("dict[str, object]", json.loads(line))
    kind = str(fields.pop("event"))
    return _EVENTS[kind](**fields) if kind in _EVENTS else kind  # type: ignore[arg-type]  # fields of the same class
