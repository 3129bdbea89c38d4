"""Run records: everything that is known about a finished run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from freezebench.errors import RecordError
from freezebench.records.contention import is_past_limit
from freezebench.records.data_facts import DataFacts  # noqa: TC001 - the annotations are read, see specs.typed
from freezebench.records.figures import EVALUATION_FIGURES, Readings, check_name
from freezebench.records.files import plain
from freezebench.records.reading import Reading
from freezebench.records.trace import RunTrace
from freezebench.specs.fields import brief
from freezebench.specs.run import RunSpec  # noqa: TC001 - the annotations are read, see specs.typed
from freezebench.specs.typed import typed_fields

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from freezebench.specs.json_types import Json

# A new field with a default does not need another schema: records without it can still be read.
RUN_RECORD_SCHEMA, _READABLE_SCHEMAS = 2, (1, 2)

RunStatus = Literal["completed", "invalid"]
# The words are part of saved files: more may be added, but none renamed.
InvalidCause = Literal[
    "out_of_memory",
    "non_finite_loss",
    "frozen_weights_changed",
    "nothing_trained",
    "prefix_mismatch",
    "crash",
    "killed",
    "timeout",
    "inputs_changed",
    "not_as_specified",
]
# How the warning of a run begins of which many tokens are unknown. Advice is chosen by it, also of saved records.
UNKNOWN_TOKENS = "the tokenizer does not know"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Evaluation of a model on one split.

    Attributes:
        loss: Mean loss of the task over the split: cross-entropy in nats, or the squared error in regression.
        accuracy: Share of sentences whose label was predicted, 0 to 1; of words in token classification; ``None`` in
            regression.
        f1: F1 of class 1 for two classes, the unweighted mean over classes or labels (macro) for more, F1 of entities
            in token classification; ``None`` in regression, and where tags are of no entities.
        predictions: Predicted class number of every sentence, or of every word, in the order of the split; of several
            labels 0 or 1 for each, sentence by sentence; empty in regression, where the scores are the predictions.
        scores: What the model returned for the same, packed by ``records.scores``; ``None``: not recorded.
    """

    loss: float
    accuracy: float | None
    f1: float | None
    predictions: tuple[int, ...] = ()
    scores: str | None = None


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_loss: Mean training loss over its steps, in nats, with the dropout of the training.
        train_s: Seconds of training, evaluation not included; ``None``: not measured.
        validation: Evaluation on the validation split after the epoch.
        contended_share: Share of those seconds in which training threads waited for a processor, 0 to 1; ``None``: not
            measured.
    """

    epoch: int
    train_loss: float
    train_s: float | None
    validation: Evaluation
    contended_share: float | None = None


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that is known about one run.

    Attributes:
        spec: The run's spec.
        status: ``completed``, or ``invalid`` with ``cause`` and ``reason``; an invalid run is never averaged.
        cause: Kind of fault that made the run invalid.
        reason: Description of the fault.
        started_at: Start, ISO 8601 in UTC.
        device: Device that was used: ``cpu`` or ``cuda:N``.
        device_name: Model of the GPU or CPU.
        precision: Number format that was used.
        model_sha256: Content hash of the pretrained weights; ``None`` for a factory, whose weights have none.
        data: The data set; ``None`` if the run failed before it was read.
        num_layers: Depth of the layer stack.
        num_params: Number of parameters.
        num_trainable_params: Number of parameters that trained.
        num_added_params: Number of parameters that strategies added to the model; part of the two numbers above.
        step_losses: Training loss of every step, in nats.
        epochs: The epochs.
        best_epoch: Epoch with the lowest validation loss, from 1; its weights are the result.
        test: Evaluation of those weights on the test split.
        test_before: Evaluation on the test split before fine-tuning, if the protocol requests it.
        readings: Time, memory and energy by metric name.
        devices: Devices that NVML reported on: name, UUID, driver.
        trace: Power and memory over time, downsampled; empty if nothing was sampled.
        warnings: Warnings about this run, in sentences.
        log: The end of the traceback of an invalid run.
        environment: Versions of Python, libraries and freezebench, and the hash of freezebench's source.
        session: Id of the session that trained it, within which its times are compared; empty: of none.
        files_sha256: Content hash of the other files of the model that loading may read: configuration and tokenizer.
        initial_sha256: Content hashes of a factory's model before training: of embeddings and layers, and of all.
        tests: Evaluation of the best epoch's weights on every further test set, by its name.
        new_parameters: Names of the parameters of the head that the checkpoint lacks; ``None``: not known.

    Raises:
        RecordError: If status and content contradict each other: a completed run has a test evaluation and data, and an
            invalid one a reason.
    """

    spec: RunSpec
    status: RunStatus = "completed"
    cause: InvalidCause | None = None
    reason: str | None = None
    started_at: str = ""
    device: str = ""
    device_name: str = ""
    precision: str = ""
    model_sha256: str | None = None
    data: DataFacts | None = None
    num_layers: int | None = None
    num_params: int | None = None
    num_trainable_params: int | None = None
    step_losses: tuple[float, ...] = ()
    epochs: tuple[EpochRecord, ...] = ()
    best_epoch: int | None = None
    test: Evaluation | None = None
    test_before: Evaluation | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    devices: tuple[Mapping[str, Json], ...] = ()
    trace: RunTrace = field(default_factory=RunTrace)
    warnings: tuple[str, ...] = ()
    log: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    session: str = ""
    files_sha256: str | None = None
    initial_sha256: tuple[str, str] | None = None
    new_parameters: tuple[str, ...] | None = None
    num_added_params: int | None = None
    tests: dict[str, Evaluation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in get_args(RunStatus):
            raise RecordError(f"unknown run status {self.status!r}: expected one of {get_args(RunStatus)}")
        # Code that uses a completed run can then rely on its evaluation and its data.
        if self.status == "completed" and (self.test is None or self.data is None):
            raise RecordError("a completed run has a test evaluation and the facts of its data")
        if self.status == "invalid" and not self.reason:
            raise RecordError("an invalid run has a reason")
        object.__setattr__(self, "readings", Readings(self.readings))

    @property
    def is_valid(self) -> bool:
        """Whether the run was completed, so that its figures count."""
        return self.status == "completed"

    @property
    def best_validation_loss(self) -> float | None:
        """Mean loss on the validation split after the best epoch; ``None`` if the run is invalid."""
        best = self.best_epoch if self.is_valid else None
        return None if best is None else self.epochs[best - 1].validation.loss

    @property
    def has_times(self) -> bool:
        """Whether its times were measured: they are not while other runs train on the same processor."""
        return self.value("train_s") is not None

    @property
    def contended_share(self) -> float | None:
        """Share of the training time in which training threads waited for a processor, 0 to 1."""
        return self.value("contended_share")

    @property
    def is_contended(self) -> bool:
        """Whether other work on the machine falsifies the times and the CPU energy of this run.

        On a GPU other processes on the device decide instead; the host's share is recorded only. Times that were not
        measured cannot be falsified.
        """
        is_timed = self.value("train_s") is not None and not self.device.startswith("cuda")
        return is_timed and is_past_limit(self.contended_share)

    @property
    def undertrained(self) -> bool:
        """Whether the best of several epochs was the last one, so that more training might have helped."""
        return len(self.epochs) > 1 and self.best_epoch == len(self.epochs)

    @cached_property
    def test_correct(self) -> tuple[bool, ...]:
        """Whether each test sentence was classified correctly, in the order of the split."""
        if self.test is None or self.data is None:
            return ()
        return tuple(
            prediction == label for prediction, label in zip(self.test.predictions, self.data.test_labels, strict=True)
        )

    @cached_property
    def computed(self) -> dict[tuple[Hashable, ...], Any]:
        """What was computed from this record, such as its metrics, by name: it is computed once, and is not saved."""
        return {}

    def value(self, name: str) -> float | None:
        """Return a figure: a reading's value, or ``accuracy``, ``f1`` or ``loss`` on the test split.

        ``None`` if it was not measured.

        Args:
            name: Name of a metric, such as ``train_s`` or ``energy_j``, or ``accuracy``, ``f1`` or ``loss``.

        Raises:
            UnknownNameError: If there is no figure of this name.
        """
        check_name(name)
        if name in EVALUATION_FIGURES:
            figure = None if self.test is None else getattr(self.test, name)
            return None if figure is None else float(figure)
        reading = self.readings.get(name)
        return None if reading is None else reading.value

    def without_costs(self, reason: str) -> Self:
        """Return this record without time, memory and energy, which do not count for the given reason.

        Args:
            reason: Why they do not count.
        """
        return replace(self._untimed(), readings=self._without(self.readings, reason), devices=())

    def without_times(self, reason: str) -> Self:
        """Return this record without what depends on time, which does not count for the given reason.

        Times, rates, energies and powers are dropped, and what was sampled over time. What is of the process alone
        stays: peak memory, counted operations, and the share of time in which its threads waited for a processor.

        Args:
            reason: Why they do not count.
        """
        timed = [name for name, reading in self.readings.items() if reading.depends_on_time]
        return self._untimed().without_readings(timed, reason)

    def without_readings(self, names: Iterable[str], reason: str) -> Self:
        """Return this record without some of its readings, which do not count for the given reason.

        Args:
            names: Names of the readings.
            reason: Why they do not count.
        """
        # What was not measured in the first place keeps its own reason.
        measured = [name for name in names if self.value(name) is not None]
        return replace(self, readings=self._without(measured, reason))

    def _without(self, names: Iterable[str], reason: str) -> dict[str, Reading]:
        """Return the readings, some of them as not measured."""
        # Names, units and sources stay, so that a report can name the missing figures and the reason.
        dropped = {name: self.readings[name] for name in names}
        return self.readings | {
            name: Reading.not_measured(reading.unit, reading.source, reason) for name, reading in dropped.items()
        }

    def _untimed(self) -> Self:
        """Return this record without the times of its epochs and without what was sampled over time."""
        return replace(self, epochs=tuple(replace(epoch, train_s=None) for epoch in self.epochs), trace={})

    def to_json(self) -> dict[str, Json]:
        """Return this record in JSON types, with its schema version.

        Losses that are not finite, which an invalid run may have, become ``null``, since JSON cannot represent them.
        """
        values = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        return {"schema": RUN_RECORD_SCHEMA, **values}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the record from its JSON form.

        Args:
            data: The object of the record, as ``json.loads`` returns it.

        Raises:
            RecordError: If the schema is unknown, or fields are missing, unknown or contradictory.
        """
        if not isinstance(data, dict):
            raise RecordError(f"not a run record: {type(data).__name__} instead of an object")
        if data.get("schema") not in _READABLE_SCHEMAS:
            schema = brief(data.get("schema"))
            raise RecordError(
                f"it has schema {schema}, and this version of freezebench reads 1 and {RUN_RECORD_SCHEMA}"
            )
        values = {name: value for name, value in data.items() if name != "schema"}
        try:
            return typed_fields(cls, values)
        except RecordError as error:
            raise RecordError(f"it is no run record: {error}") from error


def data_of(records: Iterable[RunRecord]) -> DataFacts | None:
    """Return the facts of the data of runs of one experiment; ``None`` if none of them has read its data."""
    return next((record.data for record in records if record.data is not None), None)


def values_of(records: Iterable[RunRecord], name: str) -> list[float]:
    """Return a figure of the runs that have it; ``RunRecord.value`` has the names."""
    return [value for record in records if (value := record.value(name)) is not None]
