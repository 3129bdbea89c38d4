"""``load_model``: the public way to a classifier and its tokenizer, by a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, overload

from freezebench.errors import ModelError
from freezebench.models import load
from freezebench.models.source import ModelSource
from freezebench.specs.fields import brief, whole
from freezebench.specs.names import TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from freezebench.specs.names import TaskName

_LARGEST_SEED = 2**32 - 1


@overload
def load_model(
    source: Literal["embedded"] | os.PathLike[str],
    num_labels: int = 2,
    *,
    revision: str | None = None,
    label_names: Sequence[str] | None = None,
    seed: int = 0,
    task: TaskName = "sequence-classification",
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]: ...


# A text may also name a factory, whose model may be of any class.
@overload
def load_model(
    source: str,
    num_labels: int = 2,
    *,
    revision: str | None = None,
    label_names: Sequence[str] | None = None,
    seed: int = 0,
    task: TaskName = "sequence-classification",
) -> tuple[nn.Module, PreTrainedTokenizerBase]: ...


def load_model(
    source: str | os.PathLike[str],
    num_labels: int = 2,
    *,
    revision: str | None = None,
    label_names: Sequence[str] | None = None,
    seed: int = 0,
    task: TaskName = "sequence-classification",
) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """Return a model with the head of a task in float32 on the CPU, in evaluation mode, and its tokenizer.

    A head that the checkpoint lacks, or has for another task or number of labels, is initialised from torch's random
    state. ``torch.manual_seed`` before this call determines it, and every call draws equally many random numbers.

    Args:
        source: ``embedded``, a checkpoint folder, a Hub name, or ``module:factory``. A factory is called as
            ``factory(num_labels)``, with ``seed=seed`` and ``task=task`` if it has parameters of these names, and
            returns (model, tokenizer); both are used as they are, except that weights in half precision become float32.
            A ``Path`` names no factory, so that type checkers know the model to be a ``PreTrainedModel``.
        num_labels: Number of classes, 2 or more; of labels for ``multi-label``; 1 for ``regression``.
        revision: Hub commit, tag or branch, for a Hub name.
        label_names: Name of every class or label, for the model's configuration; ``None``: those of the checkpoint.
        seed: For a factory with a parameter of this name, from 0.
        task: ``sequence-classification``, ``regression``, ``multi-label`` or ``token-classification``.

    Raises:
        ModelError: If there is no such model, it cannot be loaded safely and completely, or an argument is of another
            type or outside its range.
    """
    name = os.fspath(source) if isinstance(source, os.PathLike) else source
    if not isinstance(name, str):
        raise ModelError(
            f"load_model({brief(source)}): give the name of a model as a text or a path: 'embedded', a checkpoint "
            "folder, a Hub name, or module:factory."
        )
    number, seed_number = whole(num_labels), whole(seed)
    if number is None:
        raise ModelError(f"load_model(num_labels={brief(num_labels)}): give a whole number of classes from 2 on.")
    if task not in TASKS:
        raise ModelError(f"load_model(task={brief(task)}): choose from {', '.join(TASKS)}.")
    if seed_number is None or not 0 <= seed_number <= _LARGEST_SEED:
        raise ModelError(f"load_model(seed={brief(seed)}): give a whole number from 0 to {_LARGEST_SEED}.")
    if label_names is not None and not _are_texts(label_names):
        raise ModelError(
            f"load_model(label_names={brief(label_names)}): give a list with the name of every class, such as "
            "['negative', 'positive']."
        )
    resolved = ModelSource.resolve(name, revision)
    if resolved.kind == "factory" and not isinstance(source, str):
        raise ModelError(f"load_model({brief(source)}): a path names a folder. Give the factory as a text: {name!r}.")
    return load.load_model(resolved, number, label_names=label_names, seed=seed_number, task=task)


def _are_texts(values: object) -> bool:
    """Return whether something is a list or a tuple of texts."""
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) for value in values)
