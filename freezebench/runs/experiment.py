"""One run, from RunSpec to RunRecord: the one module where training meets meters."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import torch

from freezebench.data.task import FURTHER
from freezebench.errors import FreezebenchError
from freezebench.meters.cuda import weights_breakdown
from freezebench.records.run_record import RunRecord
from freezebench.runs.costs import CostWindows, mark_contended, prefix_readings, timing_readings
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import environment
from freezebench.runs.evaluation_check import reevaluated
from freezebench.runs.faults import invalid_record
from freezebench.runs.input_check import unchanged
from freezebench.runs.process_state import free_memory, standard_attention
from freezebench.runs.saving import save_model
from freezebench.runs.setup import Setup, StageSetup, set_up, stages_of, with_model
from freezebench.runs.strategy_source import strategy_versions
from freezebench.runs.training_check import TrainingCheck, check_batches, check_times
from freezebench.runs.weights import check_weights, checksums, untrained_note
from freezebench.training.batches.encoding import longest_input
from freezebench.training.batches.words import outside_class
from freezebench.training.device import device_name, resolve_device, resolve_precision
from freezebench.training.engines import loop
from freezebench.training.engines.evaluate import class_scores, evaluation_of
from freezebench.training.engines.job import Job
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from freezebench.records.run_record import Evaluation
    from freezebench.specs.run import RunSpec
    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.log import TrainingResult
    from freezebench.training.prefix.feed import Feed


def _with_trainer(jobs: Sequence[Job], emit: Emit) -> TrainingResult:
    # The Trainer imports datasets, pandas and accelerate, which the other engines do not need.
    from freezebench.training.engines import trainer

    return trainer.train(jobs, emit)


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
        environment=environment() | strategy_versions(spec.freeze),
    )
    draft = unchanged(draft, data_cache)
    if draft.cause is not None:
        return draft
    free_memory()
    with isolated_random_state(device), standard_attention():
        try:
            setup = set_up(source, data, data_cache, spec=spec, precision=precision)
            draft = with_model(draft, setup)
            stages, warnings = stages_of(spec, setup, data_cache)
            record, scores = _train(draft, setup, stages, emit, warnings=(*setup.warnings, *warnings))
            # The feeds have been closed: the model's methods are its own again.
            record = reevaluated(record, setup.model, setup.tokenizer, data.splits, scores)
        except FreezebenchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a model must not end the runs after it
            return invalid_record(draft, error, device)
        record = unchanged(record, data_cache)
        if save_to is not None and record.is_valid:
            max_length = longest_input(setup.model, setup.tokenizer, spec.protocol.max_length)
            save = setup.applied.trainable.save
            save_model(setup.model, setup.tokenizer, save_to, source=source, max_length=max_length, save=save)
        return record


def _train(
    draft: RunRecord, setup: Setup, stages: tuple[StageSetup, ...], emit: Emit, *, warnings: tuple[str, ...]
) -> tuple[RunRecord, dict[str, torch.Tensor]]:
    """Train under meters, check the training and evaluate; return the completed record and the scores of test sets.

    Raises:
        UnsoundRunError: If the training was not as the spec says.
    """
    spec, protocol, model, applied = draft.spec, draft.spec.protocol, setup.model, setup.applied
    train = setup.data.splits["train"]
    check = TrainingCheck(model, spec, applied, num_train=len(train))
    jobs = [_job(spec, setup, stage, check) for stage in stages]
    # Before and after training, the model runs as in the last stage, whose prefix has not changed in any stage.
    last = stages[-1].feed
    evaluated, scores_of = partial(_evaluation, setup), _scorer(setup, last)
    # The first evaluation may import seqeval, whose time and memory are to be part of no measured one.
    evaluated("validation", torch.zeros(setup.data.splits["validation"].num_rows, len(setup.label_names)))
    with last or nullcontext():
        # The seed of dropout is set after this evaluation, which must not change the training.
        test_before = evaluated("test", scores_of("test")) if protocol.evaluate_before else None
        order_warnings = dict.fromkeys(warning for job in jobs for warning in check_batches(job, train))
        weights = checksums(model)
    torch.manual_seed(spec.seed)  # dropout
    with CostWindows(emit, model=model, device=jobs[0].device) as costs:
        result = _ENGINES[spec.engine](jobs, check.watching(costs.emit))
    with last or nullcontext():
        trained = checksums(model)
        # The model has the weights of the best epoch, before which later stages have not begun.
        names = frozenset().union(*(job.names for job in jobs if job.epochs.start < result.best_epoch))
        weight_warnings = check_weights(applied.layers, names, weights, trained)
        weight_warnings += untrained_note(applied.layers, applied.trainable.names - names, result.best_epoch)
        check.check_best(trained)
        check_times(result, costs.duration_s)
        scores = {name: scores_of(name) for name in setup.data.splits if name == "test" or name.startswith(FURTHER)}
    shares, added = costs.contended_shares, applied.trainable
    record = replace(
        draft,
        status="completed",
        reason=None,
        step_losses=result.step_losses,
        epochs=tuple(replace(epoch, contended_share=shares.get(epoch.epoch)) for epoch in result.epochs),
        best_epoch=result.best_epoch,
        test=evaluated("test", scores["test"]),
        tests={name.removeprefix(FURTHER): evaluated(name, rows) for name, rows in scores.items() if name != "test"},
        test_before=test_before,
        readings={
            **timing_readings(result, num_examples=len(train), shared_devices=costs.shared_devices),
            **costs.readings,
            **weights_breakdown(model, added.added, merges=added.merges, device_type=jobs[0].device.type),
            **prefix_readings([stage.feed.prefix for stage in stages if stage.feed and stage.feed.prefix]),
        },
        devices=costs.devices,
        trace=costs.trace,
        warnings=(*warnings, *order_warnings, *weight_warnings, *result.warnings, *costs.warnings),
    )
    marked = replace(record, readings=mark_contended(record.readings)) if record.is_contended else record
    return marked, scores


def _job(spec: RunSpec, setup: Setup, stage: StageSetup, check: TrainingCheck) -> Job:
    """Return the job of a stage."""
    scores_of = _scorer(setup, stage.feed)
    return Job(
        model=setup.model,
        tokenizer=setup.tokenizer,
        train=setup.data.splits["train"],
        protocol=spec.protocol,
        precision=setup.precision,
        seed=spec.seed,
        names=stage.stage.names,
        epochs=stage.epochs,
        evaluate=lambda: check.validated(_evaluation(setup, "validation", scores_of("validation"))),
        feed=stage.feed,
        eval_modules=stage.eval_modules,
        rate_factor=stage.stage.rate_factor,
        rate_factors=setup.applied.trainable.rate_factors,
    )


def _evaluation(setup: Setup, split: str, scores: torch.Tensor) -> Evaluation:
    """Return the evaluation of a split by its scores, which are kept of test sets."""
    return evaluation_of(scores, setup.data.splits[split], setup.label_names, keep_scores=split != "validation")


def _scorer(setup: Setup, feed: Feed | None) -> Callable[[str], torch.Tensor]:
    """Return the function that gives the scores of a split by its name."""

    def scores(split: str) -> torch.Tensor:
        return class_scores(
            setup.model,
            setup.data.splits[split],
            setup.tokenizer,
            num_labels=len(setup.label_names),
            precision=setup.precision,
            feed=None if feed is None else (feed, split),
            outside=outside_class(setup.label_names),
        )

    return scores
