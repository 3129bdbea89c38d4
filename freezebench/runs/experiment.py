"""One run, from RunSpec to RunRecord: the one module where training meets meters."""

from __future__ import annotations

import ctypes
import gc
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

from freezebench.errors import FreezebenchError
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.records.run_record import RunRecord
from freezebench.runs.costs import CostWindows, mark_contended, prefix_readings, timing_readings
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import environment
from freezebench.runs.faults import invalid_record
from freezebench.runs.saving import save_model
from freezebench.runs.weights import UnsoundRunError, check_weights, checksums
from freezebench.strategies.freeze import fixed_note, fixed_parameters, freeze, frozen_modules
from freezebench.training.batches.encoding import longest_input
from freezebench.training.device import device_name, resolve_device, resolve_precision
from freezebench.training.engines import loop
from freezebench.training.engines.cached import make_feed
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.engines.job import Job
from freezebench.training.prefix.verify import PrefixMismatchError
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from freezebench.models.layers import LayerMap
    from freezebench.models.source import ModelSource
    from freezebench.records.run_record import Evaluation
    from freezebench.runs.data_cache import TokenizedData
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.strategies.freeze import FreezeSummary
    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.log import TrainingResult
    from freezebench.training.prefix.feed import Feed


def _with_trainer(job: Job, emit: Emit) -> TrainingResult:
    # The Trainer imports datasets, pandas and accelerate, which the other engines do not need.
    from freezebench.training.engines import trainer

    return trainer.train(job, emit)


_ENGINES = {"standard": loop.train, "cached": loop.train, "trainer": _with_trainer}


def run(
    spec: RunSpec,
    *,
    emit: Emit = lambda _: None,
    data_cache: DataCache | None = None,
    save_to: Path | None = None,
) -> RunRecord:
    """Train and evaluate one configuration with one seed, and return the record of the run.

    A fault in training (out of memory, a loss that is not finite, an error in the model's own code) gives a record with
    the status ``invalid`` and its cause.

    Args:
        spec: What to run.
        emit: Receives the events of training as they happen.
        data_cache: Inputs that the runs of a session share; ``None`` reads all of them anew.
        save_to: An existing, empty folder, to which the best epoch's model and its tokenizer are saved; ``None``: the
            model is discarded.

    Raises:
        FreezebenchError: If the spec names a device, model, layer or data set that does not exist, or the model cannot
            be saved.
    """
    data_cache = data_cache or DataCache()
    device = resolve_device(spec.device)
    precision = resolve_precision(spec.protocol.precision, device)
    source = data_cache.model_source(spec.model, spec.model_revision)
    data = data_cache.data(spec)
    # The record of a run that breaks is this draft with a cause: it has all that is known before training.
    draft = RunRecord(
        spec=spec,
        status="invalid",
        reason="the run has not ended",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        device=str(device),
        device_name=device_name(device),
        precision=precision,
        model_sha256=source.weights_sha256(),
        data=data.facts,
        environment=environment(),
    )
    _free_memory()
    with isolated_random_state(device), _standard_attention():
        try:
            setup = _set_up(spec, source, data.facts.label_names, device, data_cache)
            feed, feed_warnings = _make_feed(spec, setup, precision, data_cache)
            with feed or nullcontext():
                record = _train(draft, setup, feed, precision, emit, warnings=(*setup.warnings, *feed_warnings))
        except FreezebenchError:
            raise
        except Exception as error:  # noqa: BLE001 - an error of a model must not end the runs after it
            return invalid_record(draft, error, device)
        # The feed has been closed: the model's methods are its own again.
        if save_to is not None:
            _save(spec, setup, save_to)
        return record


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """What a run trains: a frozen model on its device, and its tokenized data.

    Attributes:
        model: The model, its parameters' ``requires_grad`` set.
        tokenizer: Its tokenizer.
        layers: Its layers.
        summary: What freezing left to train.
        eval_modules: Frozen modules whose dropout stays off in training.
        data: The tokenized data set.
        num_labels: Number of classes.
        warnings: What a user should know of the model.
    """

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    layers: LayerMap
    summary: FreezeSummary
    eval_modules: tuple[torch.nn.Module, ...]
    data: TokenizedData
    num_labels: int
    warnings: tuple[str, ...]


def _set_up(
    spec: RunSpec, source: ModelSource, label_names: tuple[str, ...], device: torch.device, data_cache: DataCache
) -> _Setup:
    """Load and freeze the model, move it to its device, and tokenize the data."""
    torch.manual_seed(spec.seed)  # the head's initial weights
    model, tokenizer = load_model(source, len(label_names), label_names=label_names)
    layers = find_layers(model)
    # Read before freezing, which sets requires_grad of every parameter.
    fixed = fixed_parameters(model)
    summary = freeze(model, spec.freeze_spec, layers, fixed=fixed)
    runs_in_eval = spec.protocol.frozen_part_runs_in == "eval"
    eval_modules = frozen_modules(model, layers, spec.freeze_spec) if runs_in_eval else ()
    warnings = fixed_note(model, fixed)
    model.to(device)
    return _Setup(
        model=model,
        tokenizer=tokenizer,
        layers=layers,
        summary=summary,
        eval_modules=eval_modules,
        data=data_cache.tokenized(spec, tokenizer, model),
        num_labels=len(label_names),
        warnings=warnings,
    )


def _make_feed(
    spec: RunSpec, setup: _Setup, precision: Precision, data_cache: DataCache
) -> tuple[Feed | None, tuple[str, ...]]:
    """Return the feed of the cached engine and its warnings; no feed for the other engines.

    Raises:
        UnsoundRunError: If a cached prefix differs from what the model computes.
    """
    protocol = spec.protocol
    if protocol.engine != "cached":
        return None, ()
    try:
        packed = setup.data.packed
    except ValueError as error:
        return None, (f"nothing is cached: {error}",)
    try:
        feed = make_feed(
            setup.model,
            spec.freeze_spec,
            packed,
            data_cache.prefixes,
            precision=precision,
            prefix_mode=protocol.frozen_part_runs_in,
            weight_decay=protocol.weight_decay,
            seed=spec.seed,
            layers=setup.layers,
        )
    except PrefixMismatchError as error:
        raise UnsoundRunError("prefix_mismatch", str(error)) from error
    return feed, feed.warnings


def _train(
    draft: RunRecord,
    setup: _Setup,
    feed: Feed | None,
    precision: Precision,
    emit: Emit,
    *,
    warnings: tuple[str, ...],
) -> RunRecord:
    """Train under meters, check the weights and evaluate; return the completed record."""
    spec, protocol, model, summary = draft.spec, draft.spec.protocol, setup.model, setup.summary
    evaluation = _evaluation(setup, feed, precision)
    job = Job(
        model=model,
        tokenizer=setup.tokenizer,
        train=setup.data.splits["train"],
        protocol=protocol,
        precision=precision,
        seed=spec.seed,
        evaluate=lambda: evaluation("validation"),
        feed=feed,
        eval_modules=setup.eval_modules,
    )
    # The seed of dropout is set after this evaluation, which must not change the training.
    test_before = evaluation("test") if protocol.evaluate_before else None
    weights = checksums(model)
    torch.manual_seed(spec.seed)  # dropout
    with CostWindows(emit, model=model, device=job.device) as costs:
        result = _ENGINES[protocol.engine](job, costs.emit)
    weight_warnings = check_weights(model, setup.layers, weights)
    shares = costs.contended_shares
    record = replace(
        draft,
        status="completed",
        reason=None,
        num_layers=summary.num_layers,
        num_params=summary.num_params,
        num_trainable_params=summary.num_trainable_params,
        step_losses=result.step_losses,
        epochs=tuple(replace(epoch, contended_share=shares.get(epoch.epoch)) for epoch in result.epochs),
        best_epoch=result.best_epoch,
        test=evaluation("test"),
        test_before=test_before,
        readings={
            **timing_readings(result, num_examples=len(job.train), shared_devices=costs.shared_devices),
            **costs.readings,
            **(prefix_readings(feed.prefix) if feed and feed.prefix else {}),
        },
        devices=costs.devices,
        trace=costs.trace,
        warnings=(*warnings, *weight_warnings, *result.warnings, *costs.warnings),
    )
    return replace(record, readings=mark_contended(record.readings)) if record.is_contended else record


def _save(spec: RunSpec, setup: _Setup, folder: Path) -> None:
    """Save the trained model; a strategy that adds parameters of its own would save them here.

    Raises:
        FreezebenchError: If it cannot be saved.
    """
    max_length = longest_input(setup.model, setup.tokenizer, spec.protocol.max_length)
    save_model(setup.model, setup.tokenizer, folder, name=spec.model, max_length=max_length)


def _evaluation(setup: _Setup, feed: Feed | None, precision: Precision) -> Callable[[str], Evaluation]:
    """Return the function that evaluates the model on a split, given by name."""

    def evaluation(split: str) -> Evaluation:
        return evaluate(
            setup.model,
            setup.data.splits[split],
            setup.tokenizer,
            num_labels=setup.num_labels,
            precision=precision,
            feed=None if feed is None else (feed, split),
        )

    return evaluation


@contextmanager
def _standard_attention() -> Iterator[None]:
    """Turn off the fast path of torch's own transformer layers in a block.

    In eval mode that path passes nested tensors from layer to layer. The hidden states differ from those in training,
    and a model of which some layers learn fails.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _free_memory() -> None:
    """Free what earlier runs have left in memory, so that it does not count as this run's."""
    gc.collect()
    # The C library keeps freed memory for itself: with batches of many lengths, more than it ever uses again.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
