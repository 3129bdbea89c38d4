"""One run from spec to record: measurements and faults."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import freezebench
from freezebench.errors import DataError, ModelError, SettingsError, SpecError
from freezebench.meters import window
from freezebench.models.load import load_model
from freezebench.records.events import StepRecord
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.records.store import Store
from freezebench.runs import experiment, setup
from freezebench.runs.data_cache import DataCache
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.engines import loop
from freezebench.training.engines.events import Event

PROTOCOL = Protocol(num_epochs=3, batch_size=8, learning_rate=1e-2, precision="float32")


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path) -> RunSpec:
    """A run of the tiny model on the tiny data."""
    data = DataSpec(source=str(tiny_data))
    return RunSpec(model=str(tiny_model), data=data, freeze="emb", seed=3, device="cpu", protocol=PROTOCOL)


class _Waiting:
    """A meter whose windows have given contended shares, one after the other."""

    def __init__(self, shares: Iterator[float]) -> None:
        self._shares = shares

    def start(self) -> None:
        """Begin nothing."""

    def stop(self) -> dict[str, Reading]:
        """Return the next share."""
        return {"contended_share": Reading(value=next(self._shares), unit="1", source="made up")}


@pytest.mark.parametrize(("shares", "is_contended"), [((0.0, 0.9, 0.0), True), ((0.0, 0.01, 0.0), False)])
def test_times_of_a_run_that_waited_are_marked(
    shares: tuple[float, ...], is_contended: bool, spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every epoch has its share; past the limit times keep their values, and the mark stays in the store."""
    waits = iter(shares)
    monkeypatch.setattr(window, "ContentionMeter", lambda: _Waiting(waits))
    record = freezebench.run(spec)
    assert [epoch.contended_share for epoch in record.epochs] == list(shares)
    assert record.is_contended is is_contended
    time_s, memory = record.readings["train_s"], record.readings["peak_rss_bytes"]
    assert time_s.value is not None
    assert (time_s.status, memory.status) == ("contended" if is_contended else "measured", "measured")
    assert ("trained on a busy machine" in str(time_s.reason)) is is_contended
    store = Store(tmp_path / "store")
    assert store.save(record)
    (path,) = (tmp_path / "store").glob("*.json")
    assert store.load(path.stem) == record


def test_a_run_gives_a_complete_record(spec: RunSpec) -> None:
    """The record has counts, losses, predictions, times, memory and provenance, and survives JSON."""
    events: list[Event] = []
    record = freezebench.run(spec, emit=events.append)
    assert record.is_valid
    assert (record.device, record.precision, record.num_layers) == ("cpu", "float32", 2)
    assert record.num_params == 6834
    assert record.num_trainable_params == 4754
    assert len(record.step_losses) == sum(isinstance(event, StepRecord) for event in events) == 18
    assert len(record.epochs) == 3
    assert record.best_epoch == min(record.epochs, key=lambda epoch: epoch.validation.loss).epoch
    assert record.test is not None
    assert len(record.test.predictions) == len(record.test_correct) == 40
    assert record.test.accuracy == pytest.approx(sum(record.test_correct) / 40)
    assert record.test_before is None
    assert record.value("train_s") == pytest.approx(sum(epoch.train_s or 0.0 for epoch in record.epochs))
    assert record.value("samples_per_s") == pytest.approx(3 * 48 / (record.value("train_s") or 0))
    assert (record.value("train_and_eval_s") or 0) > (record.value("train_s") or 0)
    assert (record.value("peak_rss_bytes") or 0) >= (record.value("start_rss_bytes") or 0) > 1e7
    energy = record.readings["energy_j"]
    assert energy.value is None
    assert energy.reason
    assert record.model_sha256
    assert torch.__version__.startswith(record.environment["torch"].split("+")[0])
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False))) == record


def test_a_seed_determines_the_run(spec: RunSpec) -> None:
    """Equal seeds give equal losses and predictions, other seeds others; the caller's random state is preserved."""
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    data_cache = DataCache()
    first, again = (experiment.run(spec, data_cache=data_cache) for _ in range(2))
    other = experiment.run(replace(spec, seed=4), data_cache=data_cache)
    assert torch.equal(torch.rand(1), expected)
    assert first.step_losses == again.step_losses
    assert first.test == again.test
    assert first.step_losses != other.step_losses


def test_evaluation_before_training_does_not_change_training(spec: RunSpec) -> None:
    """The record has the test results before fine-tuning, and the losses of training are the same."""
    plain = experiment.run(spec)
    record = experiment.run(replace(spec, protocol=replace(PROTOCOL, evaluate_before=True)))
    assert record.test_before is not None
    assert record.step_losses == plain.step_losses


def test_the_trainer_engine_gives_the_same_record(spec: RunSpec) -> None:
    """Without dropout, losses and predictions equal those of the standard engine."""
    protocol = replace(PROTOCOL, dropout=False)
    mine = experiment.run(replace(spec, protocol=protocol))
    theirs = experiment.run(replace(spec, protocol=replace(protocol, engine="trainer")))
    assert mine.step_losses == pytest.approx(theirs.step_losses, rel=1e-5)
    assert mine.test is not None
    assert theirs.test is not None
    assert mine.test.predictions == theirs.test.predictions


@pytest.mark.parametrize(
    ("error", "cause", "reason"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried"),
            "out_of_memory",
            r"out of memory on cpu after a peak of [\d.]+ [MG]iB: CUDA out of",
        ),
        (MemoryError(), "out_of_memory", r"out of memory after a peak of [\d.]+ [MG]iB: MemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", "RuntimeError: Default"),
        (OSError("a disk failed"), "crash", "OSError: a disk failed"),
        (AssertionError("mine"), "crash", "AssertionError: mine"),
    ],
)
def test_faults_in_training_make_an_invalid_record(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str, reason: str
) -> None:
    """The record has the cause and the end of the traceback, and no exception is raised."""

    def failing(*_: Any) -> None:
        raise error

    monkeypatch.setitem(experiment._ENGINES, "standard", failing)
    record = experiment.run(spec)
    assert (record.status, record.cause) == ("invalid", cause)
    assert re.match(reason, str(record.reason))
    assert "failing" in record.log
    assert record.data is not None


def test_weights_that_changed_against_the_spec_are_a_fault(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen weight that changed is a fault, and so are trainable weights of which none changed."""

    def tampering(jobs: Any, emit: Any) -> Any:
        with torch.no_grad():
            jobs[0].model.get_parameter("distilbert.embeddings.word_embeddings.weight")[5, 3] += 1e-3
        return loop.train(jobs, emit)

    monkeypatch.setitem(experiment._ENGINES, "standard", tampering)
    record = experiment.run(spec)
    assert record.cause == "frozen_weights_changed"
    assert "word_embeddings" in str(record.reason)
    result = SimpleNamespace(step_losses=(), epochs=(), best_epoch=1)
    monkeypatch.setitem(experiment._ENGINES, "standard", lambda *_: result)
    assert experiment.run(spec).cause == "nothing_trained"


def test_layers_without_gradient_give_a_warning(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainable layer that did not change is named in the record's warnings."""

    def without_last(jobs: Any, emit: Any) -> Any:
        for parameter in jobs[0].model.distilbert.transformer.layer[1].parameters():
            parameter.register_hook(torch.zeros_like)
        return loop.train(jobs, emit)

    assert not experiment.run(spec).warnings
    monkeypatch.setitem(experiment._ENGINES, "standard", without_last)
    record = experiment.run(spec)
    assert record.is_valid
    assert record.warnings == ("L1: trainable, but unchanged by training, since no gradient reached it",)


def test_parameters_that_the_model_has_fixed_do_not_train(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that a factory froze, as under adapters, stay frozen under every spec, with a warning."""

    def load(*args: Any, **kwargs: Any) -> Any:
        model: Any
        model, tokenizer = load_model(*args, **kwargs)
        model.distilbert.transformer.layer[0].requires_grad_(False)
        return model, tokenizer

    plain = experiment.run(spec)
    monkeypatch.setattr(setup, "load_model", load)
    record = experiment.run(spec)
    assert record.is_valid
    assert record.num_params == plain.num_params
    num_fixed = (plain.num_trainable_params or 0) - (record.num_trainable_params or 0)
    assert num_fixed > 0
    (warning,) = record.warnings
    assert warning.startswith(
        f"{num_fixed:,} of {record.num_params:,} parameters never train, since the model itself has them"
    )
    assert warning.endswith("(requires_grad=False), such as distilbert.transformer.layer.0.attention.k_lin.bias")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"freeze": "emb+L7"}, SpecError),
        ({"model": "./nowhere"}, ModelError),
        ({"data": DataSpec(source="./nowhere")}, DataError),
        ({"device": "cuda:17"}, SettingsError),
    ],
)
def test_a_spec_that_cannot_run_is_an_error(spec: RunSpec, changes: dict[str, Any], error: type[Exception]) -> None:
    """An unknown layer, model, data set or device raises; it gives no invalid record."""
    with pytest.raises(error):
        experiment.run(replace(spec, **changes))


def test_string_labels_take_the_models_order(tmp_path: Path, tiny_model: Path) -> None:
    """The class names of a checkpoint determine the class numbers."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "worse", "1": "better"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    rows = [json.dumps({"text": f"the film {n}", "label": ("better", "worse")[n % 2]}) for n in range(20)]
    for split in ("train", "validation", "test"):
        (data / f"{split}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    spec = RunSpec(model=str(tiny_model), data=DataSpec(source=str(data)))
    assert DataCache().data(replace(spec, model=str(folder))).label_names == ("worse", "better")
    assert DataCache().data(spec).label_names == ("better", "worse")


@pytest.mark.parametrize("freeze", ["none", "head", "L0"])
def test_dropout_stays_on_in_what_the_model_has_fixed_and_in_a_frozen_head(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, freeze: str
) -> None:
    """Only embeddings and layers that the spec freezes run in eval mode, which is no fault of the run."""

    def with_fixed_embeddings(*args: Any, **options: Any) -> Any:
        model: Any
        model, tokenizer = load_model(*args, **options)
        model.distilbert.embeddings.requires_grad_(False)
        return model, tokenizer

    monkeypatch.setattr(setup, "load_model", with_fixed_embeddings)
    record = experiment.run(replace(spec, freeze=freeze, protocol=replace(spec.protocol, engine="cached")))
    assert (record.status, record.reason) == ("completed", None)
