"""Loading a model for a task: its head, what of it is new, and factories that are told the task."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast, RobertaTokenizer

from freezebench.errors import ModelError
from freezebench.models import embedded
from freezebench.models.completeness import new_parameters
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model, quiet
from freezebench.models.source import ModelSource
from freezebench.models.task_heads import HEADS
from freezebench.specs.names import TASKS, TaskName

_CLASSES: dict[TaskName, str] = {
    "sequence-classification": "DistilBertForSequenceClassification",
    "regression": "DistilBertForSequenceClassification",
    "multi-label": "DistilBertForSequenceClassification",
    "token-classification": "DistilBertForTokenClassification",
}
FACTORIES = """
import torch

def told(num_labels, task="none", seed=None):
    model = torch.nn.Linear(2, num_labels)
    model.arguments = (task, seed)
    return model, str.split

def plain(num_labels):
    return torch.nn.Linear(2, num_labels), str.split

def stated(num_labels):
    return plain(num_labels)

stated.task = "regression"

def wrong(num_labels):
    return plain(num_labels)

wrong.task = "ranking"
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of factories."""
    (tmp_path / "freezebench_task_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    return "freezebench_task_factories"


@pytest.fixture
def installed_checkpoint() -> None:
    """Skip where the package of the embedded checkpoint is not installed."""
    try:
        metadata.distribution(embedded.DISTRIBUTION)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{embedded.DISTRIBUTION} (extra 'embedded') is not installed")


def _saved(folder: Path, source: Path, task: TaskName, num_labels: int) -> Any:
    """Write a checkpoint that was fine-tuned for a task, and return its model."""
    torch.manual_seed(7)
    model: Any = load_model(str(source), num_labels, task=task)[0]
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return model


@pytest.mark.parametrize("task", TASKS)
def test_a_head_of_every_task(tiny_model: Path, tmp_path: Path, task: TaskName) -> None:
    """It is loaded again as it was saved, and the configuration says what it is for."""
    num_labels = 1 if task == "regression" else 4
    saved = _saved(tmp_path, tiny_model, task, num_labels)
    assert type(saved).__name__ == _CLASSES[task]
    assert ModelSource.resolve(str(tmp_path)).task == task
    loaded: Any = load_model(str(tmp_path), num_labels, task=task, label_names=[f"n{k}" for k in range(num_labels)])[0]
    assert type(loaded) is type(saved)
    assert new_parameters(loaded) == ()
    assert loaded.config.problem_type == HEADS[task].problem_type
    assert loaded.config.id2label == {number: f"n{number}" for number in range(num_labels)}
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in loaded.state_dict().items())


@pytest.mark.parametrize(
    ("stored", "task"),
    [
        ("sequence-classification", "multi-label"),
        ("multi-label", "sequence-classification"),
        ("sequence-classification", "token-classification"),
        ("token-classification", "multi-label"),
    ],
)
def test_the_head_of_another_task_is_replaced(
    tiny_model: Path, tmp_path: Path, stored: TaskName, task: TaskName
) -> None:
    """Although its parameters have the same names and shapes; the encoder stays, and the seed makes the head."""
    saved = _saved(tmp_path, tiny_model, stored, 4)
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        loaded: Any = load_model(str(tmp_path), 4, task=task)[0]
        layers = find_layers(loaded)
        assert new_parameters(loaded) == layers.head
        assert "classifier.weight" in layers.head
        assert not torch.equal(loaded.classifier.weight, saved.classifier.weight)
        assert all(
            torch.equal(loaded.state_dict()[name], saved.state_dict()[name])
            for name in (*layers.emb, *layers.layers[0], *layers.layers[1])
        )
        heads.append(loaded.classifier.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.usefixtures("installed_checkpoint")
@pytest.mark.parametrize("task", TASKS)
def test_the_embedded_checkpoint_has_heads_of_every_task(task: TaskName) -> None:
    """As the classes of DistilBERT."""
    num_labels = 1 if task == "regression" else 3
    model: Any = load_model("embedded", num_labels, task=task)[0]
    assert type(model).__name__ == _CLASSES[task]
    assert model.config.problem_type == HEADS[task].problem_type
    assert new_parameters(model) == find_layers(model).head
    assert model.classifier.out_features == num_labels


@pytest.mark.parametrize(
    ("task", "num_labels", "message"),
    [
        ("regression", 2, "for 2 classes: regression has one output, each with one name"),
        ("token-classification", 1, "for 1 classes: a classifier has two or more classes"),
        ("multi-label", 0, "for 0 classes: texts with several labels have one or more of them"),
    ],
)
def test_heads_have_as_many_outputs_as_the_task(
    tiny_model: Path, task: TaskName, num_labels: int, message: str
) -> None:
    """The message says how many."""
    with pytest.raises(ModelError, match=message):
        load_model(str(tiny_model), num_labels, task=task)


def test_factories_are_told_the_task_if_they_take_it(factories: str) -> None:
    """Others are called as before."""
    told: Any = load_model(f"{factories}:told", 3, task="multi-label", seed=5)[0]
    assert told.arguments == ("multi-label", 5)
    assert isinstance(load_model(f"{factories}:plain", 1, task="regression")[0], torch.nn.Linear)


def test_factories_state_their_task_by_an_attribute(factories: str) -> None:
    """None if they do not; another word is refused."""
    assert ModelSource.resolve(f"{factories}:stated").task == "regression"
    assert ModelSource.resolve(f"{factories}:plain").task is None
    with pytest.raises(ModelError, match=r"the factory's attribute task is 'ranking'\. Write one of sequence-"):
        _ = ModelSource.resolve(f"{factories}:wrong").task


@pytest.mark.parametrize("kind", ["roberta", "modernbert"])
def test_tokenizers_of_bytes_keep_words_apart(tiny_model: Path, tmp_path: Path, kind: str) -> None:
    """They begin every word with a space if sentences come as words; for texts they stay as they are."""
    _saved(tmp_path, tiny_model, "token-classification", 4)
    for path in tmp_path.glob("*token*"):
        path.unlink()
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {word: number for number, word in enumerate(words)}
    make: Any = RobertaTokenizer
    if kind == "modernbert":
        backend = Tokenizer(BPE(vocab=vocabulary, merges=[]))
        backend.pre_tokenizer = ByteLevel(add_prefix_space=False)
        backend.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
        make = PreTrainedTokenizerFast
        make(tokenizer_object=backend, **dict.fromkeys(["pad_token", "eos_token"], "<pad>")).save_pretrained(tmp_path)
    else:
        make(vocab=vocabulary, merges=[]).save_pretrained(tmp_path)
    for task, first in (("token-classification", "Ġ"), ("sequence-classification", "a")):
        tokenizer: Any = load_model(str(tmp_path), 4, task=task)[1]  # type: ignore[arg-type]
        ids = tokenizer([["a", "cat"]], is_split_into_words=True)["input_ids"][0]
        assert tokenizer.convert_ids_to_tokens(ids)[1] == first
