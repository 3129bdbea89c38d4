"""The preflight check: load, freeze and run a model once before training, so that errors come early."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from freezebench.errors import ModelError
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.strategies.freeze import fixed_parameters, freeze
from freezebench.tasks.classification import logits_of
from freezebench.training.batches.encoding import collator, encode, longest_input
from freezebench.training.device import autocast, resolve_device, resolve_precision
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from freezebench.data.load import TextData
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.training.batches.encoding import Batch

_NUM_EXAMPLES = 2


def preflight(spec: RunSpec, data: TextData, grid: Iterable[str]) -> None:
    """Make sure that a model loads, that every configuration can be frozen, and that a batch runs through; on the CPU.

    Args:
        spec: Any run of the experiment.
        data: Its data set.
        grid: Canonical ids of the configurations.

    Raises:
        FreezebenchError: If something of that cannot be: layers that share weights, a factory that fails, a tokenizer
            that cannot pad, scores for another number of classes.
    """
    with isolated_random_state(torch.device("cpu")):
        model, tokenizer = load_model(
            spec.model, data.num_labels, revision=spec.model_revision, label_names=data.label_names
        )
        layers, fixed = find_layers(model), fixed_parameters(model)
        for freeze_text in grid:
            freeze(model, freeze_text, layers, fixed=fixed)
        batch = _batch(spec, data, model, tokenizer)
        batch.pop("labels")
        shape = _run(model, batch, spec)
    if shape != (_NUM_EXAMPLES, data.num_labels):
        raise ModelError(
            f"{spec.model} returns scores of shape {shape} for {_NUM_EXAMPLES} sentences of {data.num_labels} classes. "
            "freezebench trains sequence classifiers: one score per sentence and class."
        )


def _run(model: Any, batch: Batch, spec: RunSpec) -> tuple[int, ...]:
    """Return the shape of a batch's scores, computed in float32 and, where runs are in bf16 on a CPU, so again.

    Raises:
        ModelError: If the model fails in one of them.
    """
    model.eval()
    device = resolve_device(spec.device)
    try:
        shape = _shape(model, batch, "float32")
    except Exception as error:
        raise ModelError(
            f"{spec.model} fails on the first {_NUM_EXAMPLES} sentences of {spec.data.source} "
            f"({type(error).__name__}: {_first_line(error)}). Try --freeze-max-length, or mend the model."
        ) from error
    if device.type == "cpu" and resolve_precision(spec.protocol.precision, device) == "bf16":
        try:
            _shape(model, batch, "bf16")
        except Exception as error:
            raise ModelError(
                f"{spec.model} runs in float32, but not in bf16, which precision {spec.protocol.precision} means here "
                f"({type(error).__name__}: {_first_line(error)}). Use --freeze-precision=float32."
            ) from error
    return shape


@torch.inference_mode()
def _shape(model: Any, batch: Batch, precision: Precision) -> tuple[int, ...]:
    with autocast(precision, torch.device("cpu")):
        return tuple(logits_of(model(**batch)).shape)


def _batch(spec: RunSpec, data: TextData, model: Any, tokenizer: Any) -> Batch:
    """Return the first training sentences as a padded batch."""
    first = replace(data.train, texts=data.train.texts[:_NUM_EXAMPLES], labels=data.train.labels[:_NUM_EXAMPLES])
    try:
        encoded = encode(first, tokenizer, model, longest_input(model, tokenizer, spec.protocol.max_length))
        batch: Batch = dict(collator(tokenizer)(list(encoded.examples)))
    except Exception as error:
        raise ModelError(
            f"the tokenizer of {spec.model} cannot make a padded batch of two sentences ({type(error).__name__}: "
            f"{_first_line(error)}). Give the checkpoint a tokenizer with a padding token."
        ) from error
    return batch


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
