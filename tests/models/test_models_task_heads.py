"""The task that a checkpoint was fine-tuned for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
import transformers

from freezebench.errors import ModelError
from freezebench.models.checkpoint import check_folder, label_names_of
from freezebench.models.load import load_model, quiet
from freezebench.models.task_heads import check_task, num_stored_classes

ONE = {"0": "LABEL_0"}
TASKS: dict[str, tuple[dict[str, Any], str]] = {
    "token classification": ({"architectures": ["BertForTokenClassification"]}, "token classification (BertForToken"),
    "question answering": ({"architectures": ["BertForQuestionAnswering"]}, "question answering (BertFor"),
    "multiple choice": ({"architectures": ["RobertaForMultipleChoice"]}, "multiple choice (RobertaFor"),
    "an unknown task": ({"architectures": ["BertForRanking"]}, "ranking (BertForRanking)"),
    "regression": (
        {"architectures": ["BertForSequenceClassification"], "problem_type": "regression"},
        "regression (problem_type)",
    ),
    "one label": ({"architectures": ["BertForSequenceClassification"], "id2label": ONE}, "regression (one label)"),
    "one label of an unknown head": ({"num_labels": 1}, "regression (one label)"),
    "several labels": (
        {"architectures": ["BertForSequenceClassification"], "problem_type": "multi_label_classification"},
        "multi-label classification (problem_type)",
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_other_tasks_are_refused_by_name(name: str) -> None:
    """The message says where the task stands, and how to keep the encoder."""
    config, task = TASKS[name]
    with pytest.raises(ModelError) as caught:
        check_task(config, Path("ner"), "ner")
    assert f"its config.json says that it was fine-tuned for {task}" in str(caught.value)
    assert "and give --freeze-model=./ner-encoder." in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architectures": None},
        {"architectures": [3]},
        {"architectures": ["BertModel"], "problem_type": "regression", "id2label": ONE},
        {"architectures": ["BertForMaskedLM"]},
        {"architectures": ["DistilBertForMaskedLM"]},
        {"architectures": ["ElectraForPreTraining"]},
        {"architectures": ["BertForNextSentencePrediction"]},
        {"architectures": ["GPT2LMHeadModel"]},
        {"architectures": ["LlamaForCausalLM"]},
        {"architectures": ["BertForSequenceClassification"]},
        {"architectures": ["BertForSequenceClassification"], "problem_type": "single_label_classification"},
    ],
)
def test_classifiers_and_pretrained_models_are_taken(config: dict[str, Any]) -> None:
    """Heads of pretraining are left out, and the fields of another head do not count without it."""
    check_task(config, Path("m"), "m")


def test_encoder_decoders_are_refused_before_they_are_loaded() -> None:
    """The message says why, and what can be done."""
    with pytest.raises(ModelError, match=r"an encoder and a decoder, .* model.layer_stack"):
        check_task({"is_encoder_decoder": True, "architectures": ["T5ForConditionalGeneration"]}, Path("m"), "m")


@pytest.mark.parametrize(
    ("config", "number"),
    [
        ({}, None),
        ({"architectures": ["BertForMaskedLM"], "id2label": {"0": "a", "1": "b", "2": "c"}}, 0),
        ({"architectures": ["BertForSequenceClassification"]}, 2),
        ({"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b", "2": "c"}}, 3),
        ({"architectures": ["BertForSequenceClassification"], "num_labels": 4}, 4),
    ],
)
def test_the_number_of_classes_of_a_head(config: dict[str, Any], number: int | None) -> None:
    """Two is what Transformers leaves out of the file."""
    assert num_stored_classes(config) == number


def test_names_of_another_head_are_no_class_names() -> None:
    """Tags of words do not order the classes of the data."""
    names = {"0": "O", "1": "B-PER"}
    assert label_names_of({"architectures": ["BertModel"], "id2label": names}) is None
    assert label_names_of({"architectures": ["BertForSequenceClassification"], "id2label": names}) == ("O", "B-PER")


@pytest.mark.slow
def test_the_advice_keeps_the_encoder(
    tiny_model: Path,
    tmp_path: Path,
    shell: Callable[[str], CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command in the message is run as it stands; its result loads with the encoder and a new head."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "tags"))
    make_config: Any = transformers.DistilBertConfig
    config = make_config(
        vocab_size=64, dim=16, n_heads=2, hidden_dim=32, n_layers=2, num_labels=5, id2label=dict(enumerate("abcde"))
    )
    make: Any = transformers.DistilBertForTokenClassification
    model = make(config)
    with quiet():
        model.save_pretrained(folder)
    with pytest.raises(ModelError, match="fine-tuned for token classification") as caught:
        check_folder(folder, str(folder))
    command = str(caught.value).partition("`")[2].rpartition("`")[0]
    monkeypatch.chdir(tmp_path)
    shell(command).check_returncode()
    assert json.loads((tmp_path / "tags-encoder" / "config.json").read_text())["architectures"] == ["DistilBertModel"]
    loaded: Any = load_model(str(tmp_path / "tags-encoder"), 2)[0]
    for key, tensor in loaded.distilbert.state_dict().items():
        assert torch.equal(tensor, model.distilbert.state_dict()[key])
    assert set(loaded.new_parameters) == {key for key, _ in loaded.named_parameters() if "classifier" in key}
