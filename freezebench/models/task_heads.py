"""The task that a checkpoint was fine-tuned for, by its config.json. Imports no torch."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.escaping import shell_word
from freezebench.models.other_folders import target_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CLASSIFICATION = "SequenceClassification"
# What encoders are pretrained by: their heads are left out, and a classifier gets a new one.
_PRETRAINING = {"MaskedLM", "PreTraining", "CausalLM", "NextSentencePrediction", "ConditionalGeneration"}
_TASK = re.compile(r"For([A-Z]\w*)$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+")
_DEFAULT_NUM_LABELS = 2


def check_task(config: Mapping[str, object], folder: Path, name: str) -> None:
    """Check that a checkpoint has the head of a classifier or of pretraining, or none.

    Args:
        config: The content of its config.json.
        folder: Its folder.
        name: What error messages call the model.

    Raises:
        ModelError: If it was fine-tuned for another task, or has encoder and decoder.
    """
    if config.get("is_encoder_decoder") is True:
        raise ModelError(
            f"cannot load the model {name!r}: its config.json says that it has an encoder and a decoder, each with "
            "layers from 0, and freezebench numbers the layers of one stack. Choose an encoder such as BERT, or name "
            'the stack in a module:factory of yours by model.layer_stack = "PATH".'
        )
    task = _other_task(config)
    if task is not None:
        target = target_folder(folder, "encoder")
        raise ModelError(
            f"cannot load the model {name!r}: its config.json says that it was fine-tuned for {task}, and freezebench "
            "trains classifiers with one class per text. To fine-tune its encoder with a new head, save the encoder "
            f"alone: `{_encoder_command(folder, target)}`, and give --freeze-model={target}."
        )


def has_classifier(config: Mapping[str, object]) -> bool:
    """Return whether class names may be those of a classifier: not if config.json names another architecture."""
    architectures = _architectures(config)
    return not architectures or any(_task_of(name) == _CLASSIFICATION for name in architectures)


def num_stored_classes(config: Mapping[str, object]) -> int | None:
    """Return the number of classes of a checkpoint's head; 0 without one, ``None`` if config.json does not say."""
    architectures = _architectures(config)
    if not architectures:
        return None
    return _num_labels(config) if has_classifier(config) else 0


def _other_task(config: Mapping[str, object]) -> str | None:
    """Return the task of a head that is no classifier's and none of pretraining, with where config.json says so."""
    architectures = _architectures(config)
    for architecture in architectures:
        task = _task_of(architecture)
        if task is not None and task not in {*_PRETRAINING, _CLASSIFICATION}:
            return f"{' '.join(_WORD.findall(task)).lower() or task} ({architecture})"
    # The encoder of such a model keeps the field, so that only a classifier's counts.
    if has_classifier(config):
        problem = config.get("problem_type")
        if problem == "regression" or _num_labels(config) == 1:
            return f"regression ({'problem_type' if problem == 'regression' else 'one label'})"
        if problem == "multi_label_classification":
            return "multi-label classification (problem_type)"
    return None


def _architectures(config: Mapping[str, object]) -> list[str]:
    names = config.get("architectures")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _task_of(architecture: str) -> str | None:
    match = _TASK.search(architecture)
    return None if match is None else match[1]


def _num_labels(config: Mapping[str, object]) -> int:
    names, number = config.get("id2label"), config.get("num_labels")
    if isinstance(names, dict) and names:
        return len(names)
    return number if isinstance(number, int) else _DEFAULT_NUM_LABELS


def _encoder_command(folder: Path, target: str) -> str:
    """Return the command that saves the encoder of a checkpoint without its head, and the tokenizer."""
    source, to = json.dumps(str(folder)), json.dumps(target)
    code = (
        f"from transformers import AutoModel as M, AutoTokenizer as T; M.from_pretrained({source})"
        f".save_pretrained({to}); T.from_pretrained({source}).save_pretrained({to})"
    )
    return f"python -c {shell_word(code)}"
