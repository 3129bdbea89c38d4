"""What each configuration trains of a loaded model."""

from __future__ import annotations

import pytest
import torch

from architectures import ARCHITECTURES, MORE, build
from freezebench.errors import SpecError
from freezebench.models.layers import find_layers
from freezebench.planning.not_run import not_run
from freezebench.runs.trainable import trainable_sets

GRID = ("none", "emb", "L0", "emb+L0", "emb+L0-1", "head")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_part_of_an_encoder_trains_something_of_its_own(name: str) -> None:
    """No configuration of a model without fixed parameters is the same as another one; nothing of the check stays."""
    family, options, *_ = ARCHITECTURES[name]
    model = build(family, options)
    batch = {"input_ids": torch.randint(5, 90, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    sets = trainable_sets(model, GRID, find_layers(model), batch, fixed=())
    assert not_run(GRID, sets, name) == {}
    numbers = [sets[freeze].num_params for freeze in ("none", "emb", "emb+L0", "emb+L0-1")]
    assert numbers == sorted(numbers, reverse=True)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_that_fails_with_gradients_has_every_parameter_counted() -> None:
    """A reversible encoder computes none in evaluation; what is not known must not leave out a configuration."""
    family, options, *_ = ARCHITECTURES["distilbert"]
    model = build(family, options)
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}

    def refuse(_: torch.Tensor) -> None:
        raise RuntimeError("only in training")

    model.get_parameter("distilbert.transformer.layer.1.output_layer_norm.weight").register_hook(refuse)  # type: ignore[no-untyped-call]
    batch = {"input_ids": torch.randint(5, 90, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    sets = trainable_sets(model, GRID, find_layers(model), batch, fixed=())
    assert sets["none"].num_params == sum(sizes.values())
    assert not_run(GRID, sets, "it") == {}


def test_adapters_of_other_arguments_train_something_else() -> None:
    """Even if parameters have the same names and sizes: alpha scales them. The embeddings are frozen either way."""
    pytest.importorskip("peft", reason="the extra `peft` is not installed")
    family, options, *_ = ARCHITECTURES["distilbert"]
    model = build(family, options)
    batch = {"input_ids": torch.randint(5, 90, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    grid = ("none", "lora", "emb+lora", "lora(alpha=8)", "lora(dropout=0.1)")
    sets = trainable_sets(model, grid, find_layers(model), batch, fixed=())
    assert sets["lora"] == sets["emb+lora"]
    assert len({sets[freeze].sha256 for freeze in grid}) == 4
    assert not any("lora" in name for name, _ in model.named_parameters())


def test_adapters_that_no_gradient_reaches_are_refused() -> None:
    """LUKE has query matrices for entities, which a classification of sentences does not use."""
    pytest.importorskip("peft", reason="the extra `peft` is not installed")
    family, options = MORE["luke"]
    model = build(family, options)
    batch = {"input_ids": torch.randint(5, 90, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    with pytest.raises(SpecError, match=r"cannot apply lora: no gradient reaches luke.*_query.lora_A.default.weight"):
        trainable_sets(model, ("lora",), find_layers(model), batch, fixed=())
    assert trainable_sets(model, ("lora(targets=query|value)",), find_layers(model), batch, fixed=())
