"""Saved models of every task: class, configuration, and the scores that the run recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoTokenizer

from cached_runs import PROTOCOL, write_encoder
from freezebench.models.source import ModelSource
from freezebench.models.task_heads import HEADS
from freezebench.records.evaluated import examples_of
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.names import TaskName
from freezebench.specs.run import RunSpec
from task_data import NAMES, examples, write_task_data

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of PEFT, which uses what transformers deprecates
]
_NEW: tuple[TaskName, ...] = ("regression", "multi-label", "token-classification")


def _run(folder: Path, task: TaskName, freeze: str) -> tuple[Any, Path]:
    """Return a run's record, and the folder that its model was saved to."""
    data = DataSpec(source=str(write_task_data(folder / "data", task)))
    model = str(write_encoder("distilbert", folder / "model", "AutoModel"))
    saved = folder / "saved"
    saved.mkdir()
    protocol = replace(PROTOCOL, num_epochs=1)
    record = run(RunSpec(model=model, data=data, freeze=freeze, device="cpu", protocol=protocol), save_to=saved)
    assert record.is_valid, record.reason
    return record, saved


def _scores(model: Any, folder: Path, task: TaskName) -> torch.Tensor:
    """Return the scores of the test sentences by a loaded model and the saved tokenizer, as a user would."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    made = [texts for texts, _ in examples(task, 24, 2)]
    if task != "token-classification":
        batch = tokenizer([text for (text,) in made], truncation=True, padding=True, return_tensors="pt")
        with torch.inference_mode():
            return model.eval()(**batch).logits  # type: ignore[no-any-return]
    batch = tokenizer(
        list(map(list, made)), is_split_into_words=True, truncation=True, padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = model.eval()(**batch).logits
    rows = []
    for sentence, words in enumerate(made):
        numbers = batch.word_ids(sentence)
        rows += [logits[sentence, numbers.index(word)] for word in range(len(words))]
    return torch.stack(rows)


@pytest.mark.parametrize("task", _NEW)
def test_a_saved_model_gives_the_recorded_scores(tmp_path: Path, task: TaskName) -> None:
    """Transformers loads it by the class of the task; the configuration names labels and loss."""
    record, saved = _run(tmp_path, task, "emb+L0")
    config = json.loads((saved / "config.json").read_text())
    kind = "Token" if task == "token-classification" else "Sequence"
    assert config["architectures"] == [f"DistilBertFor{kind}Classification"]
    assert config["id2label"] == {str(number): name for number, name in enumerate(NAMES[task])}
    assert config.get("problem_type") == HEADS[task].problem_type
    assert ModelSource.resolve(str(saved)).task == task
    model = getattr(transformers, HEADS[task].auto_class).from_pretrained(saved)
    expected = torch.from_numpy(examples_of(record).scores)
    torch.testing.assert_close(_scores(model, saved, task), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", _NEW)
def test_saved_adapters_give_the_recorded_scores(tmp_path: Path, task: TaskName) -> None:
    """PEFT loads them with the head onto the pretrained model of the task, and merges them."""
    peft = pytest.importorskip("peft", reason="the extra `peft` is not installed")
    record, saved = _run(tmp_path, task, "emb+lora(r=2)")
    base = peft.PeftConfig.from_pretrained(saved).base_model_name_or_path
    head, num_labels = HEADS[task], len(NAMES[task])
    load: Any = getattr(transformers, head.auto_class).from_pretrained
    model = peft.PeftModel.from_pretrained(load(base, num_labels=num_labels, problem_type=head.problem_type), saved)
    expected = torch.from_numpy(examples_of(record).scores)
    for loaded in (model, model.merge_and_unload()):
        torch.testing.assert_close(_scores(loaded, saved, task), expected, rtol=1e-4, atol=1e-5)
