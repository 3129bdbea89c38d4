"""Saving a run's adapters: what the folder holds, and what loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from freezebench.models.source import ModelSource
from freezebench.runs import saving
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from tiny import sentences

peft = pytest.importorskip("peft", reason="the extra `peft` is not installed")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of PEFT, which uses what transformers deprecates
]
PROTOCOL = Protocol(num_epochs=2, batch_size=8, learning_rate=1e-2, precision="float32", engine="cached")


@pytest.mark.parametrize("freeze", ["emb+L0+lora(r=2)", "ia3"])
def test_saved_adapters_predict_what_the_run_recorded(
    tiny_model: Path, tiny_data: Path, tmp_path: Path, freeze: str
) -> None:
    """PEFT loads them onto the pretrained model, with the head that was trained, and merges them."""
    data = DataSpec(source=str(tiny_data))
    record = run(
        RunSpec(model=str(tiny_model), data=data, freeze=freeze, device="cpu", protocol=PROTOCOL), save_to=tmp_path
    )
    assert record.test is not None
    assert {path.name for path in tmp_path.iterdir()} >= {"adapter_model.safetensors", "tokenizer_config.json"}
    assert not (tmp_path / "model.safetensors").exists()
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny_model.resolve())
    load: Any = AutoModelForSequenceClassification.from_pretrained
    model = peft.PeftModel.from_pretrained(load(config["base_model_name_or_path"], num_labels=2), tmp_path)
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    batch = tokenizer([text for text, _ in sentences(40, 2, 2)], truncation=True, padding=True, return_tensors="pt")
    for loaded in (model, model.merge_and_unload()):
        with torch.inference_mode():
            assert loaded.eval()(**batch).logits.argmax(dim=-1).tolist() == list(record.test.predictions)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (ModelSource(kind="hub", name="org/model", revision="abc"), ("org/model", "abc")),
        (ModelSource(kind="embedded", name="embedded"), (None, None)),
        (ModelSource(kind="factory", name="module:factory"), (None, None)),
    ],
)
def test_adapters_name_what_transformers_can_load(source: ModelSource, expected: tuple[str | None, str | None]) -> None:
    """The embedded checkpoint is another architecture on the Hub, and a factory's model has no name there."""
    assert saving._loadable_from(source) == expected
