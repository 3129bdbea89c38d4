"""The preflight check: load, freeze and run a model once before training, so that errors come early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezebench.errors import FreezebenchError, ModelError, first_line
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.runs.factory_check import check_factory
from freezebench.runs.saving import check_savable
from freezebench.runs.token_check import check_tokens
from freezebench.runs.trainable import trainable_sets
from freezebench.strategies.freeze import fixed_parameters
from freezebench.tasks.registry import TASKS
from freezebench.tasks.scores import logits_of
from freezebench.training.batches.encoding import collator, encode, longest_input
from freezebench.training.batches.unknown_tokens import check_tokens_known
from freezebench.training.device import autocast, resolve_device, resolve_precision
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.load import TextData
    from freezebench.data.splits import Split
    from freezebench.models.layers import LayerMap
    from freezebench.models.source import ModelSource
    from freezebench.records.trainable_set import TrainableSet
    from freezebench.runs.data_cache import DataCache, TokenizedData
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.training.batches.encoding import Batch

# More than one, so that sentences are padded to a batch.
_NUM_EXAMPLES = 2


def preflight(
    spec: RunSpec,
    grid: Iterable[str],
    data_cache: DataCache,
    *,
    may_train_nothing: Collection[str] = (),
    will_save: bool = False,
) -> dict[str, TrainableSet]:
    """Check on the CPU that a model loads, that every configuration can be frozen, and that the model runs a batch.

    Args:
        spec: Any run of the experiment.
        grid: Canonical ids of the configurations.
        data_cache: The session's inputs.
        may_train_nothing: Those of them for which it is no fault that nothing would be left to train.
        will_save: Whether a model is going to be saved.

    Returns:
        What each configuration trains.

    Raises:
        FreezebenchError: If one of these fails: layers share weights, a factory fails, the tokenizer cannot pad, or the
            model scores another number of classes, or has no method to save it although it is going to be saved.
    """
    source, data = data_cache.model_source(spec.model, spec.model_revision), data_cache.data(spec)
    with isolated_random_state(torch.device("cpu")):
        if source.kind == "factory":
            _check_factory(source, spec, data)
        model, tokenizer = load_model(
            source, data.num_labels, label_names=data.label_names, seed=spec.seed, task=data.task
        )
        if will_save:
            check_savable(model, tokenizer, spec.model)
        layers, fixed = find_layers(model), fixed_parameters(model)
        batch = _batch(spec, data.train, model, tokenizer)
        labels = batch.pop("labels")
        tokenized = _tokenized(spec, data_cache, model, tokenizer)
        shape = _scores_shape(model, batch, spec)
        _check_longest(spec, data, tokenized, model)
        sets = trainable_sets(model, grid, layers, batch, fixed=fixed, may_train_nothing=may_train_nothing)
    task = TASKS[data.task]
    # Labels of words have the shape of a batch's tokens.
    if shape != ((*labels.shape, data.num_labels) if task.by_word else (_NUM_EXAMPLES, data.num_labels)):
        raise ModelError(
            f"{spec.model} returns scores of shape {shape} for {_NUM_EXAMPLES} sentences of {data.num_labels} classes. "
            f"Give a model for {data.task}, which returns {task.scores_text}."
        )
    return sets


def _tokenized(
    spec: RunSpec, data_cache: DataCache, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase
) -> TokenizedData:
    """Return the data as token ids, each of which has an embedding; the runs of this process use them, too.

    Raises:
        DataError: If a text has no token, or one without an embedding.
        ModelError: If the tokenizer fails, or knows no word.
    """
    try:
        tokenized = data_cache.tokenized(spec, tokenizer, model)
    except FreezebenchError:
        raise
    except Exception as error:
        raise ModelError(
            f"the tokenizer of {spec.model} fails on the texts of {spec.data.source} ({type(error).__name__}: "
            f"{first_line(error)}). Correct the tokenizer, or the texts."
        ) from error
    check_tokens(spec.model, model, tokenizer, data_cache.data(spec).splits, tokenized.splits)
    check_tokens_known(spec.model, tokenized.unknown)
    return tokenized


def _check_longest(spec: RunSpec, data: TextData, tokenized: TokenizedData, model: torch.nn.Module) -> None:
    """Check that the model runs the longest text: a custom model may have embeddings of fewer positions.

    Raises:
        ModelError: If it fails.
    """
    longest = [
        (int(split.lengths.max()), int(split.lengths.argmax()), name) for name, split in tokenized.splits.items()
    ]
    num_tokens, example, name = max(longest)
    split = tokenized.splits[name]
    batch: Batch = dict(collator(tokenized.tokenizer, split.task)([split.examples[example]]))
    batch.pop("labels")
    try:
        _shape(model, batch, "float32")
    except Exception as error:
        raise ModelError(
            f"{spec.model} fails on the longest text, {data.splits[name].location(example)}, of {num_tokens} tokens "
            f"({type(error).__name__}: {first_line(error)}). Cut texts to fewer tokens by --freeze-max-length, or "
            "correct the model."
        ) from error


def _check_factory(source: ModelSource, spec: RunSpec, data: TextData) -> None:
    """Check that a factory returns the same model in every call.

    Raises:
        ModelError: If it does not.
    """

    def make(seed: int) -> tuple[torch.nn.Module, LayerMap]:
        torch.manual_seed(seed)  # as before every run
        model, _ = load_model(source, data.num_labels, label_names=data.label_names, seed=seed, task=data.task)
        return model, find_layers(model)

    check_factory(source.name, spec.seed, make, seeded=source.depends_on_seed)


def _scores_shape(model: torch.nn.Module, batch: Batch, spec: RunSpec) -> tuple[int, ...]:
    """Return the shape of a batch's scores, computed in float32 and, if runs are in bf16 on a CPU, in bf16, too.

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
            f"({type(error).__name__}: {first_line(error)}). Try --freeze-max-length, or correct the model."
        ) from error
    # Some models mask with numbers that bf16 cannot represent.
    if device.type == "cpu" and resolve_precision(spec.protocol.precision, device) == "bf16":
        try:
            _shape(model, batch, "bf16")
        except Exception as error:
            raise ModelError(
                f"{spec.model} runs in float32, but not in bf16, which precision {spec.protocol.precision} means here "
                f"({type(error).__name__}: {first_line(error)}). Use --freeze-precision=float32."
            ) from error
    return shape


@torch.inference_mode()
def _shape(model: torch.nn.Module, batch: Batch, precision: Precision) -> tuple[int, ...]:
    with autocast(precision, torch.device("cpu")):
        return tuple(logits_of(model(**batch)).shape)


def _batch(spec: RunSpec, train: Split, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase) -> Batch:
    """Return the first training sentences as a padded batch.

    Raises:
        ModelError: If the tokenizer cannot make one.
    """
    examples = train.at(range(min(_NUM_EXAMPLES, len(train))))
    try:
        encoded = encode(examples, tokenizer, model, longest_input(model, tokenizer, spec.protocol.max_length))
        batch: Batch = dict(collator(tokenizer, encoded.task)(list(encoded.examples)))
    except FreezebenchError:
        raise
    except Exception as error:
        raise ModelError(
            f"the tokenizer of {spec.model} cannot make a padded batch of two sentences ({type(error).__name__}: "
            f"{first_line(error)}). Give the checkpoint a tokenizer with a padding token."
        ) from error
    return batch
