"""One run, from RunSpec to RunRecord: the one place where training meets meters."""

from __future__ import annotations

import ctypes
import gc
import traceback
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

from freezebench.errors import FreezebenchError
from freezebench.meters.process import THIS_PROCESS
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.records.run_record import RunRecord
from freezebench.runs.costs import CostWindows, prefix_readings, timing_readings
from freezebench.runs.data_cache import DataCache
from freezebench.runs.environment import environment
from freezebench.runs.weights import UnsoundRunError, check_weights, checksums, fixed_note
from freezebench.strategies.freeze import fixed_parameters, freeze, frozen_modules
from freezebench.training.batches.batching import longest_input
from freezebench.training.device import device_name, isolated_random_state, resolve_device, resolve_precision
from freezebench.training.engines import loop
from freezebench.training.engines.cached import make_feed
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.engines.job import Job, NonFiniteLossError
from freezebench.training.prefix.verify import PrefixMismatchError
from freezebench.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from freezebench.data.load import TextData
    from freezebench.models.layers import LayerMap
    from freezebench.models.source import ModelSource
    from freezebench.records.run_record import Evaluation, InvalidCause
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.strategies.freeze import FreezeSummary
    from freezebench.training.batches.batching import Encoded
    from freezebench.training.engines.job import Emit, TrainingResult
    from freezebench.training.prefix.feed import Feed


def _with_trainer(job: Job, emit: Emit) -> TrainingResult:
    from freezebench.training.engines import (
        trainer,  # brings datasets, pandas and accelerate, which no other engine needs
    )

    return trainer.train(job, emit)


_ENGINES = {"standard": loop.train, "cached": loop.train, "trainer": _with_trainer}
_LOG_LINES = 20


def run(spec: RunSpec, *, emit: Emit = lambda _: None, data_cache: DataCache | None = None) -> RunRecord:
    """Train and evaluate one configuration with one seed, and return everything that came out.

    A fault in training (out of memory, a loss that is not finite, an error in the model's own code) gives a record with
    the status ``invalid`` and its cause.

    Args:
        spec: What to run.
        emit: Receives the events of training as they happen.
        data_cache: Keeps the data of one session; ``None`` reads it anew.

    Raises:
        FreezebenchError: If what was asked cannot be: no such device, model, layer or data set.
    """
    data_cache = data_cache or DataCache()
    device = resolve_device(spec.device)
    precision = resolve_precision(spec.protocol.precision, device)
    source = data_cache.model_source(spec.model, spec.model_revision)
    data = data_cache.data(spec.data, spec.model)
    draft = RunRecord(
        spec=spec,
        status="invalid",
        reason="the run has not ended",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        device=str(device),
        device_name=device_name(device),
        precision=precision,
        model_sha256=source.weights_sha256(),
        data=data_cache.facts(spec.data, spec.model),
        environment=environment(),
    )
    _free_memory()
    with isolated_random_state(device), _one_path_of_attention():
        try:
            return _Run(spec, draft, source, data, device, precision, emit, data_cache).complete()
        except torch.OutOfMemoryError as error:
            return _invalid(draft, "out_of_memory", f"out of memory on {device}{_peak(device)}: {_first_line(error)}")
        except MemoryError as error:
            return _invalid(draft, "out_of_memory", f"out of memory{_peak(device)}: {_first_line(error)}")
        except NonFiniteLossError as error:
            return _invalid(draft, "non_finite_loss", f"non-finite loss: {error}")
        except UnsoundRunError as error:
            return _invalid(draft, error.cause, str(error))
        except FreezebenchError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises must not end the runs after it
            cause: InvalidCause = "out_of_memory" if "allocate memory" in str(error) else "crash"
            return _invalid(draft, cause, f"{type(error).__name__}: {_first_line(error)}")


@dataclass
class _Run:
    """The stages of one run."""

    spec: RunSpec
    draft: RunRecord
    source: ModelSource
    data: TextData
    device: torch.device
    precision: Precision
    emit: Emit
    data_cache: DataCache

    def complete(self) -> RunRecord:
        """Load, freeze, train under meters, evaluate; return the record."""
        spec, protocol = self.spec, self.spec.protocol
        torch.manual_seed(spec.seed)  # the head's initial weights
        model, tokenizer = load_model(self.source, self.data.num_labels, label_names=self.data.label_names)
        layers = find_layers(model)
        fixed = fixed_parameters(model)
        summary = freeze(model, spec.freeze_spec, layers, fixed=fixed)
        resting = frozen_modules(model, layers, spec.freeze_spec) if protocol.frozen_part_runs_in == "eval" else ()
        model.to(self.device)
        splits = self.data_cache.encoded(spec, tokenizer, model, longest_input(model, tokenizer, protocol.max_length))

        feed, notes = self._feed(model, layers, tokenizer, splits)

        def evaluation(split: str) -> Evaluation:
            return evaluate(
                model,
                splits[split],
                tokenizer,
                num_labels=self.data.num_labels,
                precision=self.precision,
                feed=None if feed is None else (feed, split),
            )

        with feed or nullcontext():
            return self._train(
                Job(
                    model=model,
                    tokenizer=tokenizer,
                    train=splits["train"],
                    protocol=protocol,
                    precision=self.precision,
                    seed=spec.seed,
                    evaluate=lambda: evaluation("validation"),
                    feed=feed,
                    resting=resting,
                ),
                layers=layers,
                summary=summary,
                notes=(*fixed_note(model, fixed), *notes),
                evaluation=evaluation,
            )

    def _feed(
        self, model: Any, layers: LayerMap, tokenizer: Any, splits: dict[str, Encoded]
    ) -> tuple[Feed | None, tuple[str, ...]]:
        """Return the cached engine's feed and what to warn of; no feed for the other engines."""
        if self.spec.protocol.engine != "cached":
            return None, ()
        try:
            flat = self.data_cache.flat(splits, tokenizer)
        except ValueError as error:
            return None, (f"nothing is cached: {error}",)
        protocol = self.spec.protocol
        try:
            feed = make_feed(
                model,
                self.spec.freeze_spec,
                flat,
                self.data_cache.prefixes,
                precision=self.precision,
                prefix_mode=protocol.frozen_part_runs_in,
                weight_decay=protocol.weight_decay,
                seed=self.spec.seed,
                layers=layers,
            )
        except PrefixMismatchError as error:
            raise UnsoundRunError("prefix_mismatch", str(error)) from error
        return feed, feed.warnings

    def _train(
        self,
        job: Job,
        *,
        layers: LayerMap,
        summary: FreezeSummary,
        notes: tuple[str, ...],
        evaluation: Callable[[str], Evaluation],
    ) -> RunRecord:
        """Train under meters and evaluate; return the record."""
        spec, protocol, model, feed = self.spec, self.spec.protocol, job.model, job.feed
        test_before = evaluation("test") if protocol.evaluate_before else None
        weights = checksums(model)
        torch.manual_seed(spec.seed)  # dropout
        with CostWindows(self.emit, model=model, device=self.device) as costs:
            result = _ENGINES[protocol.engine](job, costs.emit)
        unmoved = check_weights(model, layers, weights)
        return replace(
            self.draft,
            status="completed",
            reason=None,
            num_layers=summary.num_layers,
            num_params=summary.num_params,
            num_trainable_params=summary.num_trainable_params,
            step_losses=result.step_losses,
            epochs=result.epochs,
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
            warnings=(*notes, *unmoved, *result.warnings, *costs.warnings),
        )


@contextmanager
def _one_path_of_attention() -> Iterator[None]:
    """Keep torch's own transformer layers from their path for inference, which hands layers nested tensors.

    Taken in eval mode, it shows other hidden states than training has, and fails where some layers learn.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _free_memory() -> None:
    """Give back what earlier runs have left behind, so that it does not count as this run's."""
    gc.collect()
    # The C library keeps freed memory for itself: with batches of many lengths, more than it ever uses again.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _invalid(draft: RunRecord, cause: InvalidCause, reason: str) -> RunRecord:
    """Return the record of a run that broke, with the end of its traceback."""
    log = traceback.format_exc().splitlines()[-_LOG_LINES:]
    return replace(draft, status="invalid", cause=cause, reason=reason, log="\n".join(log))


def _peak(device: torch.device) -> str:
    """Return a clause on how much memory there was in use at most, for who has to make a batch smaller."""
    with suppress(OSError, RuntimeError, ValueError):
        on_gpu = device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(device) if on_gpu else THIS_PROCESS.high_water_bytes()
        return f" after a peak of {bytes_text(peak)}"
    return ""


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or ["no message"])[0]
