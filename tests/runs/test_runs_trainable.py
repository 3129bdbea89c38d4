"""What each configuration trains of a loaded model."""

from __future__ import annotations

import pytest
import torch

from architectures import ARCHITECTURES, build
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
