"""Saving adapters in PEFT's format."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from architectures import ARCHITECTURES, MORE, build
from freezebench.errors import ModelError
from freezebench.models.layers import find_layers
from freezebench.strategies.adapter_saving import save_adapters
from freezebench.strategies.freeze import apply

peft = pytest.importorskip("peft", reason="the extra `peft` is not installed")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of PEFT, which uses what transformers deprecates
]


def saved_and_base(model: torch.nn.Module, spec: str, folder: Path) -> torch.nn.Module:
    """Save a model with changed adapters and head to a folder; return the model without adapters."""
    base = copy.deepcopy(model)
    applied = apply(model, spec, find_layers(model))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    save = applied.trainable.save
    assert save is not None
    save(folder, "some/model", "main")
    return base


@pytest.mark.parametrize("spec", ["lora(r=2)", "emb+L0+dora(r=2,targets=all)", "ia3"])
@pytest.mark.parametrize(
    "architecture", ["distilbert", "bert", "roberta", "modernbert", "electra", "deberta-v3", "gpt2"]
)
def test_peft_loads_what_was_saved_and_merges_it(architecture: str, spec: str, tmp_path: Path) -> None:
    """Scores are equal, with adapters and merged; the head is among what was saved."""
    family, options, *_ = ARCHITECTURES.get(architecture) or MORE[architecture]
    torch.manual_seed(0)
    model = build(family, options)
    model.train(mode=False)
    base = saved_and_base(model, spec, tmp_path)
    inputs: Any = {"input_ids": torch.randint(5, 90, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    loaded = peft.PeftModel.from_pretrained(base, tmp_path).eval()
    scores = model(**inputs).logits
    torch.testing.assert_close(loaded(**inputs).logits, scores, rtol=0, atol=0)
    merged = loaded.merge_and_unload()
    torch.testing.assert_close(merged(**inputs).logits, scores, rtol=0, atol=2e-6)
    assert sum(parameter.numel() for parameter in merged.parameters()) == sum(
        parameter.numel() for parameter in build(family, options).parameters()
    )


def test_the_folder_names_the_model_that_it_belongs_to(tmp_path: Path) -> None:
    """It has two files, and the configuration that PEFT reads."""
    family, options, *_ = ARCHITECTURES["distilbert"]
    saved_and_base(build(family, options), "lora(r=2,alpha=4)", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("some/model", "main")
    assert (config["r"], config["lora_alpha"], config["inference_mode"]) == (2, 4, True)
    assert sorted(config["modules_to_save"]) == ["classifier", "pre_classifier"]


def test_a_head_that_peft_cannot_save_is_refused(tmp_path: Path) -> None:
    """A parameter of the model itself is in no module, and a module whose path ends as another's is not told apart."""
    family, options, *_ = ARCHITECTURES["distilbert"]
    model = build(family, options)
    head = apply(model, "lora(r=2)", find_layers(model)).layers.head
    config: Any = peft.LoraConfig()
    with pytest.raises(ModelError, match=r"bias of its head is in no module of its own"):
        save_adapters(tmp_path, None, None, model=model, config=config, head=("bias",))
    model.extra = torch.nn.ModuleDict({"my_classifier": torch.nn.Linear(2, 2)})
    with pytest.raises(ModelError, match=r"extra.my_classifier ends as one of"):
        save_adapters(tmp_path, None, None, model=model, config=config, head=head)
