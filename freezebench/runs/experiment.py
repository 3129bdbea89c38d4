"""One run, from RunSpec to RunRecord: the one module where training meets meters."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

from freezebench.errors import FreezebenchError
from freezebench.models.completeness import new_parameters
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.records.run_record import RunRecord
from freezebench.runs.costs import CostWindows, mark_contended, prefix_readings, timing_readings
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import environment
from freezebench.runs.evaluation_check import check_data, reevaluated
from freezebench.runs.factory_check import initial_sha256
from freezebench.runs.faults import invalid_record
from freezebench.runs.input_check import unchanged
from freezebench.runs.process_state import free_memory, standard_attention
from freezebench.runs.saving import save_model
from freezebench.runs.training_check import TrainingCheck, check_batches, check_times, seed_note
from freezebench.runs.weights import (
    UnsoundRunError,
    check_freezing,
    check_start,
    check_weights,
    checksums,
    trainable_by_spec,
)
from freezebench.strategies.freeze import apply, fixed_note, fixed_parameters, frozen_modules
from freezebench.training.batches.encoding import encode, longest_input
from freezebench.training.batches.packed import NotPackableError
from freezebench.training.device import device_name, resolve_device, resolve_precision
from freezebench.training.engines import loop
from freezebench.training.engines.cached import make_feed
from freezebench.training.engines.evaluate import class_scores, evaluation_of
from freezebench.training.engines.job import Job
from freezebench.training.prefix.verify import PrefixMismatchError
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.load import TextData
    from freezebench.models.source import ModelSource
    from freezebench.runs.data_cache import TokenizedData
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.strategies.freeze import Applied
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
    """Train and evaluate one configuration with one seed; ``runs.single.run`` describes the arguments, and checks them.

    Raises:
        FreezebenchError: If the spec names a device, model, layer or data set that does not exist, or the model cannot
            be saved.
    """
    data_cache = data_cache or DataCache()
    device = resolve_device(spec.device)
    precision = resolve_precision(spec.protocol.precision, device)
    source, data = data_cache.model_source(spec.model, spec.model_revision), data_cache.data(spec)
    hashes = data_cache.file_hashes(spec)
    # The record of a run that breaks is this draft with a cause: it has all that is known before training.
    draft = RunRecord(
        spec=spec,
        status="invalid",
        reason="the run has not ended",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        device=str(device),
        device_name=device_name(device),
        precision=precision,
        model_sha256=None if hashes is None else hashes.weights_sha256,
        files_sha256=None if hashes is None else hashes.files_sha256,
        data=data.facts,
        environment=environment(),
    )
    draft = unchanged(draft, data_cache)
    if draft.cause is not None:
        return draft
    free_memory()
    with isolated_random_state(device), standard_attention():
        try:
            setup = _set_up(source, data, data_cache, spec=spec, precision=precision)
            draft = _with_model(draft, setup)
            feed, feed_warnings = _make_feed(spec, setup, data_cache)
            with feed or nullcontext():
                record, scores = _train(draft, setup, feed, emit, warnings=(*setup.warnings, *feed_warnings))
            # The feed has been closed: the model's methods are its own again.
            record = reevaluated(record, setup.model, setup.tokenizer, data.test, scores)
        except FreezebenchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a model must not end the runs after it
            return invalid_record(draft, error, device)
        record = unchanged(record, data_cache)
        if save_to is not None and record.is_valid:
            # A strategy that adds parameters of its own would save them here.
            max_length = longest_input(setup.model, setup.tokenizer, spec.protocol.max_length)
            save_model(setup.model, setup.tokenizer, save_to, name=spec.model, max_length=max_length)
        return record


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """What a run trains: a frozen model on its device, and its tokenized data.

    Attributes:
        model: The model, its parameters' ``requires_grad`` set.
        tokenizer: Its tokenizer.
        initial_sha256: Of a factory's model as it was loaded, the content hashes of embeddings and layers, and of all.
        applied: What trains, and its layers.
        eval_modules: Frozen modules whose dropout stays off in training.
        data: The tokenized data set.
        num_labels: Number of classes.
        precision: Number format of the forward passes.
        warnings: What a user should know of the model.
    """

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    initial_sha256: tuple[str, str] | None
    applied: Applied
    eval_modules: tuple[torch.nn.Module, ...]
    data: TokenizedData
    num_labels: int
    precision: Precision
    warnings: tuple[str, ...]


def _set_up(
    source: ModelSource, data: TextData, data_cache: DataCache, *, spec: RunSpec, precision: Precision
) -> _Setup:
    """Load and freeze the model, move it to its device, and tokenize the data.

    Raises:
        UnsoundRunError: If the parameters that train, or the labels, are not those of the spec.
    """
    torch.manual_seed(spec.seed)  # the head's initial weights
    model, tokenizer = load_model(source, data.num_labels, label_names=data.label_names, seed=spec.seed)
    warnings = seed_note(spec.seed)
    layers = find_layers(model)
    loaded = checksums(model)
    if source.kind != "factory":  # whose encoder may be random
        check_start(loaded, data_cache.first_weights(spec, loaded), layers)
    # Read before freezing, which sets requires_grad of every parameter.
    fixed = fixed_parameters(model)
    initial = initial_sha256(model, layers, fixed) if source.kind == "factory" else None
    applied = apply(model, spec.freeze_spec, layers, fixed=fixed)
    runs_in_eval = spec.protocol.frozen_part_runs_in == "eval"
    eval_modules = frozen_modules(model, applied.frozen_names()) if runs_in_eval else ()
    unfrozen = trainable_by_spec(model, applied.layers, spec.freeze_spec, fixed)
    # Strategies train a part of it, and what they have added.
    is_all = not spec.freeze_spec.strategies
    check_freezing(model, spec.freeze_spec, unfrozen if is_all else unfrozen & applied.trainable.names)
    model.to(resolve_device(spec.device))
    tokenized = data_cache.tokenized(spec, tokenizer, model)
    max_length = longest_input(model, tokenizer, spec.protocol.max_length)
    check_data(data.splits, tokenized.splits, lambda some: encode(some, tokenizer, model, max_length))
    return _Setup(
        model=model,
        tokenizer=tokenizer,
        initial_sha256=initial,
        applied=applied,
        eval_modules=eval_modules,
        data=tokenized,
        num_labels=data.num_labels,
        precision=precision,
        warnings=(*warnings, *fixed_note(model, fixed)),
    )


def _with_model(draft: RunRecord, setup: _Setup) -> RunRecord:
    """Return the draft with what is known of the model once a spec was applied to it."""
    summary = setup.applied.summary
    return replace(
        draft,
        new_parameters=new_parameters(setup.model),
        initial_sha256=setup.initial_sha256,
        num_layers=summary.num_layers,
        num_params=summary.num_params,
        num_trainable_params=summary.num_trainable_params,
        num_added_params=summary.num_added_params,
    )


def _make_feed(spec: RunSpec, setup: _Setup, data_cache: DataCache) -> tuple[Feed | None, tuple[str, ...]]:
    """Return the feed of the cached engine and its warnings; no feed for the other engines.

    Raises:
        UnsoundRunError: If a cached prefix differs from what the model computes.
    """
    protocol = spec.protocol
    if spec.engine != "cached":
        return None, ()
    try:
        packed = setup.data.packed
    except NotPackableError as error:
        return None, (f"nothing is cached: {error}",)
    try:
        feed = make_feed(
            setup.model,
            spec.freeze,
            packed,
            data_cache.prefixes,
            depth=setup.applied.cached_depth(),
            precision=setup.precision,
            prefix_mode=protocol.frozen_part_runs_in,
            weight_decay=protocol.weight_decay,
            seed=spec.seed,
            layers=setup.applied.layers,
        )
    except PrefixMismatchError as error:
        raise UnsoundRunError("prefix_mismatch", str(error)) from error
    return feed, feed.warnings


def _train(
    draft: RunRecord, setup: _Setup, feed: Feed | None, emit: Emit, *, warnings: tuple[str, ...]
) -> tuple[RunRecord, torch.Tensor]:
    """Train under meters, check the training and evaluate; return the completed record and the test scores.

    Raises:
        UnsoundRunError: If the training was not as the spec says.
    """
    spec, protocol, model, applied = draft.spec, draft.spec.protocol, setup.model, setup.applied
    scores_of = _scorer(setup, feed)
    train, validation, test = (setup.data.splits[name] for name in ("train", "validation", "test"))
    check = TrainingCheck(model, spec, applied, num_train=len(train))
    job = Job(
        model=model,
        tokenizer=setup.tokenizer,
        train=train,
        protocol=protocol,
        precision=setup.precision,
        seed=spec.seed,
        evaluate=lambda: check.validated(evaluation_of(scores_of("validation"), validation.labels)),
        feed=feed,
        eval_modules=setup.eval_modules,
    )
    # The seed of dropout is set after this evaluation, which must not change the training.
    test_before = evaluation_of(scores_of("test"), test.labels) if protocol.evaluate_before else None
    order_warnings, weights = check_batches(job, train), checksums(model)
    torch.manual_seed(spec.seed)  # dropout
    with CostWindows(emit, model=model, device=job.device) as costs:
        result = _ENGINES[spec.engine](job, check.watching(costs.emit))
    trained = checksums(model)
    weight_warnings = check_weights(applied.layers, applied.trainable.names, weights, trained)
    check.check_best(trained)
    check_times(result, costs.duration_s)
    scores = scores_of("test")
    shares = costs.contended_shares
    record = replace(
        draft,
        status="completed",
        reason=None,
        step_losses=result.step_losses,
        epochs=tuple(replace(epoch, contended_share=shares.get(epoch.epoch)) for epoch in result.epochs),
        best_epoch=result.best_epoch,
        test=evaluation_of(scores, test.labels),
        test_before=test_before,
        readings={
            **timing_readings(result, num_examples=len(job.train), shared_devices=costs.shared_devices),
            **costs.readings,
            **(prefix_readings(feed.prefix) if feed and feed.prefix else {}),
        },
        devices=costs.devices,
        trace=costs.trace,
        warnings=(*warnings, *order_warnings, *weight_warnings, *result.warnings, *costs.warnings),
    )
    marked = replace(record, readings=mark_contended(record.readings)) if record.is_contended else record
    return marked, scores


def _scorer(setup: _Setup, feed: Feed | None) -> Callable[[str], torch.Tensor]:
    """Return the function that gives the class scores of a split by its name."""

    def scores(split: str) -> torch.Tensor:
        return class_scores(
            setup.model,
            setup.data.splits[split],
            setup.tokenizer,
            num_labels=setup.num_labels,
            precision=setup.precision,
            feed=None if feed is None else (feed, split),
        )

    return scores
