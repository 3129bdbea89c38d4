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
from freezebench.models.task_heads import check_task, num_stored_outputs, stated_task

ONE = {"0": "LABEL_0"}
TEXTS, TOKENS = ["BertForSequenceClassification"], ["BertForTokenClassification"]
OTHER: dict[str, tuple[str, str]] = {
    "question answering": ("BertForQuestionAnswering", "question answering (BertFor"),
    "multiple choice": ("RobertaForMultipleChoice", "multiple choice (RobertaFor"),
    "an unknown task": ("BertForRanking", "ranking (BertForRanking)"),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_tasks_are_refused_by_name(name: str) -> None:
    """The message says where the task stands, and how to keep the encoder."""
    architecture, task = OTHER[name]
    with pytest.raises(ModelError) as caught:
        check_task({"architectures": [architecture]}, Path("ner"), "ner")
    assert f"its config.json says that it was fine-tuned for {task}" in str(caught.value)
    assert "and give --freeze-model=./ner-encoder." in str(caught.value)


@pytest.mark.parametrize(
    ("config", "task"),
    [
        ({"architectures": TEXTS}, "sequence-classification"),
        ({"architectures": TEXTS, "problem_type": "single_label_classification"}, "sequence-classification"),
        ({"architectures": TEXTS, "problem_type": "regression"}, "regression"),
        ({"architectures": TEXTS, "id2label": ONE}, "regression"),
        ({"architectures": TEXTS, "problem_type": "multi_label_classification"}, "multi-label"),
        ({"architectures": TEXTS, "problem_type": "multi_label_classification", "num_labels": 1}, "multi-label"),
        ({"num_labels": 1}, "regression"),
        ({"problem_type": "multi_label_classification"}, "multi-label"),
        ({"architectures": TOKENS}, "token-classification"),
        ({"architectures": TOKENS, "num_labels": 1}, "token-classification"),
        ({"architectures": ["BertModel"], "problem_type": "regression", "id2label": ONE}, None),
        ({"architectures": ["BertForMaskedLM"], "num_labels": 1}, None),
        ({}, None),
    ],
)
def test_the_task_of_a_head(config: dict[str, Any], task: str | None) -> None:
    """It is in the class of the head, and for whole texts in problem_type; one label means regression."""
    check_task(config, Path("m"), "m")
    assert stated_task(config) == task


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
    ],
)
def test_pretrained_models_are_taken(config: dict[str, Any]) -> None:
    """Heads of pretraining are left out, and the fields of another head do not count without it."""
    check_task(config, Path("m"), "m")
    assert stated_task(config) is None


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
        ({"architectures": TOKENS, "num_labels": 9}, 9),
    ],
)
def test_the_number_of_outputs_of_a_head(config: dict[str, Any], number: int | None) -> None:
    """Two is what Transformers leaves out of the file."""
    assert num_stored_outputs(config) == number


def test_names_of_another_head_are_no_class_names() -> None:
    """What an encoder's configuration has kept of an earlier head does not order the classes of the data."""
    names = {"0": "O", "1": "B-PER"}
    assert label_names_of({"architectures": ["BertModel"], "id2label": names}) is None
    assert label_names_of({"architectures": TEXTS, "id2label": names}) == ("O", "B-PER")
    assert label_names_of({"architectures": TOKENS, "id2label": names}) == ("O", "B-PER")


@pytest.mark.slow
def test_the_advice_keeps_the_encoder(
    tiny_model: Path,
    tmp_path: Path,
    shell: Callable[[str], CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command in the message is run as it stands; its result loads with the encoder and a new head."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "answers"))
    make_config: Any = transformers.DistilBertConfig
    config = make_config(vocab_size=64, dim=16, n_heads=2, hidden_dim=32, n_layers=2)
    make: Any = transformers.DistilBertForQuestionAnswering
    model = make(config)
    with quiet():
        model.save_pretrained(folder)
    with pytest.raises(ModelError, match="fine-tuned for question answering") as caught:
        check_folder(folder, str(folder))
    command = str(caught.value).partition("`")[2].rpartition("`")[0]
    monkeypatch.chdir(tmp_path)
    shell(command).check_returncode()
    assert json.loads((tmp_path / "answers-encoder" / "config.json").read_text())["architectures"] == [
        "DistilBertModel"
    ]
    loaded: Any = load_model(str(tmp_path / "answers-encoder"), 2)[0]
    for key, tensor in loaded.distilbert.state_dict().items():
        assert torch.equal(tensor, model.distilbert.state_dict()[key])
    assert set(loaded.new_parameters) == {key for key, _ in loaded.named_parameters() if "classifier" in key}
