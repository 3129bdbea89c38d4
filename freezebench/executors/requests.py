"""What a session and its worker process send each other: requests, answers and events, as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.executors.base import DataCacheOptions
    from freezebench.records.run_record import InvalidCause
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Precision


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


class InputsRequest(TypedDict):
    """Read model and data of a run; answered by their hashes, see ``input_check.input_hashes``."""

    kind: Literal["inputs"]
    spec: Mapping[str, Json]


class MachineRequest(TypedDict):
    """Look up what runs depend on here; answered by the fields of ``Machine``."""

    kind: Literal["machine"]
    device: str
    precision: Precision


Request = RunRequest | PreflightRequest | InputsRequest | MachineRequest


class Start(TypedDict):
    """The first line to the worker.

    Attributes:
        path: ``sys.path`` of the session.
    """

    path: list[str]


class Message(TypedDict):
    """Each further line to the worker.

    Attributes:
        request: What to do.
        path: ``sys.path`` of the session, which tests and plugins may change.
        data_cache: How to make the worker's data cache, for its first request.
    """

    request: Request
    path: list[str]
    data_cache: DataCacheOptions


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The worker's imports are done."""


@dataclass(frozen=True, kw_only=True)
class StartFailed:
    """The worker cannot work and ends.

    Attributes:
        reason: Why, as a clause.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a request: ``value``, or one of ``error`` and ``fault``.

    Attributes:
        value: What was requested.
        error: The message of a ``FreezebenchError``.
        fault: Any other exception, as a clause.
        cause: Kind of the fault.
        log: The end of the traceback of error or fault.
    """

    value: dict[str, Json] | None = None
    error: str | None = None
    fault: str | None = None
    cause: InvalidCause = "crash"
    log: str = ""


Event = TrainingStarted | StepRecord | TrainingPaused | Ready | StartFailed | Answer
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


class UnknownLineError(ValueError):
    """A line from the worker that is no event."""


def encode_event(event: Event) -> str:
    """Return an event as one line of JSON."""
    # NaN passes: a loss may be one, and both ends are Python. The fields are plain data already.
    return json.dumps({"event": type(event).__name__, **vars(event)})


def decode_line(line: bytes) -> Event:
    """Return the event of a line from the worker.

    Raises:
        UnknownLineError: If it is none.
    """
    try:
        fields = json.loads(line)
        return _EVENTS[fields.pop("event")](**fields)
    # Each of these errors is the consequence of a value of another type or name.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnknownLineError(f"{line[:80]!r}") from error
