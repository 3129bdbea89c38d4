"""Checks of weights: where a run starts, what it freezes and what it changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from encoders import MeanClassifier
from freezebench.models.layers import LayerMap, find_layers
from freezebench.runs.weights import (
    UnsoundRunError,
    check_freezing,
    check_start,
    check_weights,
    checksums,
    trainable_by_spec,
)
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import freeze


def _model() -> tuple[Any, LayerMap]:
    torch.manual_seed(0)
    model = MeanClassifier()
    return model, find_layers(model)


@pytest.mark.parametrize("text", ["none", "emb", "L1", "emb+L0", "emb+L0-1", "head", "emb+L1+head"])
def test_freezing_and_its_check_agree(text: str) -> None:
    """What the spec trains is derived twice, from the layers' names and from its id."""
    model, layers = _model()
    freeze(model, text, layers)
    check_freezing(model, FreezeSpec.parse(text), trainable_by_spec(model, layers, FreezeSpec.parse(text)))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("layers.0.scale", "emb+L0", r"1 parameters are not as emb\+L0 says: layers.0.scale is trainable, not frozen"),
        ("out.bias", "emb", "1 parameters are not as emb says: out.bias is frozen, not trainable"),
    ],
)
def test_a_parameter_in_the_wrong_state_is_named(name: str, text: str, message: str) -> None:
    """Either way."""
    model, layers = _model()
    freeze(model, text, layers)
    parameter = model.get_parameter(name)
    parameter.requires_grad_(not parameter.requires_grad)
    with pytest.raises(UnsoundRunError, match=message) as error:
        check_freezing(model, FreezeSpec.parse(text), trainable_by_spec(model, layers, FreezeSpec.parse(text)))
    assert error.value.cause == "not_as_specified"


def test_what_the_model_has_fixed_does_not_train() -> None:
    """It is frozen under every spec."""
    model, layers = _model()
    assert "table.weight" not in trainable_by_spec(model, layers, FreezeSpec.parse("none"), fixed={"table.weight"})


def test_a_frozen_weight_that_requires_gradients_may_not_change() -> None:
    """What trains is decided by the spec, not by the flag that a fault may have set."""
    model, layers = _model()
    trainable = trainable_by_spec(model, layers, FreezeSpec.parse("emb"))
    before = checksums(model)
    with torch.no_grad():
        model.table.weight[3, 1] += 1e-3
    with pytest.raises(UnsoundRunError, match=r"frozen weights changed: table\.weight"):
        check_weights(layers, trainable, before, checksums(model))


def test_runs_start_from_the_same_encoder_and_any_head() -> None:
    """The head depends on the seed, embeddings and layers do not."""
    model, layers = _model()
    first = checksums(model)
    with torch.no_grad():
        model.out.bias += 1.0
    check_start(checksums(model), first, layers)
    with torch.no_grad():
        model.layers[1].inner.weight[0, 0] += 1e-3
    with pytest.raises(UnsoundRunError, match=r"did not start from the pretrained weights, .*: layers.1.inner.weight"):
        check_start(checksums(model), first, layers)
