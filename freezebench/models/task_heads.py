"""The task that a checkpoint was fine-tuned for, by its config.json. Imports no torch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.errors import ModelError
from freezebench.escaping import shell_word
from freezebench.models.other_folders import target_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from freezebench.specs.names import TaskName

ProblemType = Literal["regression", "single_label_classification", "multi_label_classification"]


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a task, as transformers makes it.

    Attributes:
        auto_class: The class that loads a model with it.
        problem_type: Which loss it has by its configuration; ``None``: its class has one loss only.
        min_outputs: Least number of its outputs.
        max_outputs: Largest number of them; ``None``: any.
        outputs_text: These numbers as a clause.
    """

    auto_class: str
    problem_type: ProblemType | None
    min_outputs: int
    max_outputs: int | None = None
    outputs_text: str = "a classifier has two or more classes"

    def fits(self, num_outputs: int) -> bool:
        """Return whether it can have so many outputs."""
        return num_outputs >= self.min_outputs and (self.max_outputs is None or num_outputs <= self.max_outputs)


_TEXTS = "AutoModelForSequenceClassification"
HEADS: dict[TaskName, Head] = {
    "sequence-classification": Head(auto_class=_TEXTS, problem_type="single_label_classification", min_outputs=2),
    "regression": Head(
        auto_class=_TEXTS,
        problem_type="regression",
        min_outputs=1,
        max_outputs=1,
        outputs_text="regression has one output",
    ),
    "multi-label": Head(
        auto_class=_TEXTS,
        problem_type="multi_label_classification",
        min_outputs=1,
        outputs_text="texts with several labels have one or more of them",
    ),
    "token-classification": Head(auto_class="AutoModelForTokenClassification", problem_type=None, min_outputs=2),
}
_CLASSIFICATION = "SequenceClassification"
_TOKENS = "TokenClassification"
# Which task a head for whole texts has is a matter of its loss.
_BY_PROBLEM_TYPE: dict[object, TaskName] = {"regression": "regression", "multi_label_classification": "multi-label"}
# What encoders are pretrained by: their heads are left out, and a classifier gets a new one.
_PRETRAINING = {"MaskedLM", "PreTraining", "CausalLM", "NextSentencePrediction", "ConditionalGeneration"}
_TASK = re.compile(r"For([A-Z]\w*)$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+")
_DEFAULT_NUM_LABELS = 2


def check_task(config: Mapping[str, object], folder: Path, name: str) -> None:
    """Check that a checkpoint has the head of a task that can be trained, one of pretraining, or none.

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
            "trains classifiers of texts or words, and regression. To fine-tune its encoder with a new head, save the "
            f"encoder alone: `{_encoder_command(folder, target)}`, and give --freeze-model={target}."
        )


def stated_task(config: Mapping[str, object]) -> TaskName | None:
    """Return the task of a checkpoint's head by its config.json; ``None`` if it has none or does not say.

    Transformers has one class of heads for whole texts, whose task is in ``problem_type``; one label means regression.
    """
    heads = {_task_of(name) for name in _architectures(config)}
    if _TOKENS in heads:
        return "token-classification"
    # The encoder of a fine-tuned model keeps these fields, so that they count for its head only.
    if not has_text_head(config):
        return None
    task = _BY_PROBLEM_TYPE.get(config.get("problem_type"))
    if task is None and _num_labels(config) == 1:
        return "regression"
    return task or ("sequence-classification" if heads else None)


def has_text_head(config: Mapping[str, object]) -> bool:
    """Return whether a checkpoint may have a head for whole texts: not if config.json names another architecture."""
    architectures = _architectures(config)
    return not architectures or any(_task_of(name) == _CLASSIFICATION for name in architectures)


def has_label_names(config: Mapping[str, object]) -> bool:
    """Return whether the names in config.json may be those of classes or labels that a head tells apart."""
    return has_text_head(config) or stated_task(config) is not None


def num_stored_outputs(config: Mapping[str, object]) -> int | None:
    """Return the number of outputs of a checkpoint's head; 0 without one, ``None`` if config.json does not say."""
    if not _architectures(config):
        return None
    return 0 if stated_task(config) is None else _num_labels(config)


def _other_task(config: Mapping[str, object]) -> str | None:
    """Return the task of a head that cannot be trained and is none of pretraining, with where config.json says so."""
    for architecture in _architectures(config):
        task = _task_of(architecture)
        if task is not None and task not in {*_PRETRAINING, _CLASSIFICATION, _TOKENS}:
            return f"{' '.join(_WORD.findall(task)).lower() or task} ({architecture})"
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
