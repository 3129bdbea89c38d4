"""Layers that run as one operation: recognised where they are, and the same scores and gradients."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from encoders import batch, blocks_of, encoder
from freezebench.models.layers import find_layers
from freezebench.training.cpu import linear as linear_module
from freezebench.training.cpu.blocks import Blocks
from freezebench.training.cpu.operations import QuickOps
from freezebench.training.prefix.cls_only import FirstTokens

POST_NORM = ["distilbert", "bert", "roberta", "electra"]


def _result(model: Any, *contexts: Any, inputs: Any = None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return scores and gradients."""
    model.zero_grad()
    with ExitStack() as opened:
        for context in contexts:
            opened.enter_context(context)
        scores = model(**(inputs or batch())).logits
    cross_entropy(scores.float(), torch.tensor([0, 1, 0, 1])).backward()  # type: ignore[no-untyped-call]
    return scores.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def _same(one: tuple[torch.Tensor, Any], other: tuple[torch.Tensor, Any], atol: float = 1e-6) -> None:
    assert torch.allclose(one[0], other[0], atol=atol)
    assert one[1].keys() == other[1].keys()
    for name, gradient in one[1].items():
        assert torch.allclose(gradient, other[1][name], atol=atol), name


@pytest.mark.parametrize("architecture", POST_NORM)
@pytest.mark.parametrize("gelu", ["gelu", "gelu_pytorch_tanh"])
def test_scores_and_gradients_stay(architecture: str, gelu: str) -> None:
    """Every layer is recognised; scores and gradients are those of the model's own code, with and without padding."""
    changes = {"activation": gelu} if architecture == "distilbert" else {"hidden_act": gelu}
    model = encoder(architecture, "sdpa", **changes)
    blocks = blocks_of(model)
    assert sorted(blocks.forms) == [0, 1]
    _same(_result(model), _result(model, blocks))
    whole = {"input_ids": batch()["input_ids"].clamp(min=5), "attention_mask": torch.ones(4, 9, dtype=torch.int64)}
    _same(_result(model, inputs=whole), _result(model, blocks, inputs=whole))


@pytest.mark.parametrize("architecture", POST_NORM)
def test_first_tokens_only(architecture: str) -> None:
    """The last layer goes on with the first token of every sentence; scores and gradients stay."""
    model = encoder(architecture, "sdpa")
    _same(_result(model), _result(model, blocks_of(model).with_first_only(1)))


@pytest.mark.parametrize("frozen", [("0",), ("1",), ("attention",), ("norm", "LayerNorm")])
def test_frozen_parts_have_no_gradient(frozen: tuple[str, ...]) -> None:
    """Whatever is frozen within a layer or below it, the rest has its gradients."""
    model = encoder("bert", "sdpa")
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(part in name.split(".") for part in frozen) or "classifier" in name
    own, quick = _result(model), _result(model, blocks_of(model))
    _same(own, quick)
    assert len(own[1]) < len(list(model.parameters()))


@pytest.mark.parametrize("architecture", POST_NORM)
def test_dropout_falls_where_it_did(architecture: str) -> None:
    """In train mode the same random numbers drop the same elements as the model's own operations do."""
    model = encoder(architecture, "sdpa")
    blocks = blocks_of(model)
    model.train()
    own = _result(model, QuickOps(3))
    ops = QuickOps(3)
    blocks = Blocks(blocks.forms, ops.pool)
    assert not torch.allclose(own[0], _result(model, QuickOps(4))[0], atol=1e-4)
    _same(own, _result(model, ops, blocks))


@pytest.mark.parametrize("architecture", POST_NORM)
def test_dropout_of_first_tokens_falls_where_it_did(architecture: str) -> None:
    """The same holds in a last layer that goes on with first tokens: what is dropped of the sums is dropped there."""
    model = encoder(architecture, "sdpa")
    forms = blocks_of(model).forms
    model.train()
    ops = QuickOps(3)
    last = FirstTokens(model.get_submodule(find_layers(model).stack)[1])
    own = _result(model, QuickOps(3), last)
    _same(own, _result(model, ops, Blocks(forms, ops.pool).with_first_only(1)))


@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("is_fused", [False, True])
def test_bf16_is_near(first_only: bool, is_fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under autocast to bf16 scores and gradients differ by rounding alone, with oneDNN's operations or without."""
    if is_fused and not linear_module._has_fused():
        pytest.skip("this processor or build has no such operations in bf16")
    monkeypatch.setattr(linear_module, "_has_fused", lambda: is_fused)
    model = encoder("bert", "sdpa")
    blocks = blocks_of(model)
    blocks = blocks.with_first_only(1) if first_only else blocks
    quick = _result(model, blocks, torch.autocast("cpu", torch.bfloat16))
    _same(_result(model), (quick[0].float(), quick[1]), atol=0.02)
    with torch.no_grad(), blocks, torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(model(**batch()).logits.float(), quick[0].float(), atol=0.02)


def test_nobody_learns_the_bias_of_the_last_keys() -> None:
    """Added to all scores of a sentence alike it changes none of the weights: its gradient is exactly zero."""
    model = encoder("bert", "sdpa")
    _, gradients = _result(model, blocks_of(model).with_first_only(1))
    assert not gradients["bert.encoder.layer.1.attention.self.key.bias"].any()
    assert gradients["bert.encoder.layer.1.attention.self.key.weight"].any()


def test_weights_changed_before_backward_are_an_error() -> None:
    """As in PyTorch's own operations: gradients of weights that are gone would be wrong."""
    model = encoder("distilbert", "sdpa")
    with blocks_of(model):
        loss = model(**batch()).logits.sum()
        with torch.no_grad():
            model.distilbert.transformer.layer[1].ffn.lin1.weight.mul_(2.0)
        model(**batch())
        with pytest.raises(RuntimeError, match="were changed between"):
            loss.backward()


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("is_bf16", [False, True])
def test_changed_weights_are_seen(learns: bool, is_bf16: bool) -> None:
    """Weights that an optimizer changed in place are used in the next pass, of training and of evaluation."""
    model = encoder("distilbert", "sdpa")

    def hidden() -> torch.Tensor:
        with torch.set_grad_enabled(learns), torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            states: torch.Tensor = model.distilbert(**batch()).last_hidden_state.float()
        return states

    with blocks_of(model):
        before = hidden()
        with torch.no_grad():
            for parameter in model.distilbert.transformer.parameters():
                parameter.mul_(1.5)
        after = hidden()
    assert not torch.allclose(before, after, atol=0.1)
    assert torch.allclose(hidden(), after, atol=0.05 if is_bf16 else 1e-6)


def test_an_evaluation_may_come_first() -> None:
    """What inference mode made could not be filled again when training changed the weights."""
    model = encoder("distilbert", "sdpa")
    with blocks_of(model):
        with torch.inference_mode():
            model(**batch())
        with torch.no_grad():
            model.distilbert.transformer.layer[0].ffn.lin1.weight.mul_(2.0)
        model(**batch()).logits.sum().backward()
    assert model.distilbert.transformer.layer[0].ffn.lin1.weight.grad is not None


def test_layers_are_left_as_they_were() -> None:
    """Closed, nothing of it remains; those in front of a depth are never touched."""
    model = encoder("distilbert", "sdpa")
    blocks = blocks_of(model).behind(1)
    first, second = model.distilbert.transformer.layer
    with blocks:
        assert "forward" not in vars(first)
        assert "forward" in vars(second)
    assert "forward" not in vars(second)


def test_a_mask_of_its_own_for_every_query_is_left_to_the_layer() -> None:
    """What the operation cannot do, the layer's own code does."""
    model = encoder("bert", "sdpa")
    blocks = blocks_of(model)
    causal = torch.ones(9, 9).tril().bool()[None, None].expand(4, 1, 9, 9)
    layer, hidden = model.bert.encoder.layer[0], torch.randn(4, 9, 16)
    own = layer(hidden, causal)
    with blocks:
        assert torch.equal(layer(hidden, causal), own)


@pytest.mark.parametrize(
    ("architecture", "attention", "changes"),
    [
        ("bert", "eager", {}),
        ("bert", "sdpa", {"hidden_act": "relu"}),
        ("modernbert", "sdpa", {}),
        ("deberta-v2", "eager", {}),
        ("mpnet", "eager", {}),
        ("xlm-roberta-xl", "sdpa", {}),  # norms in front
    ],
)
def test_other_layers_are_not_taken_for_it(architecture: str, attention: str, changes: dict[str, Any]) -> None:
    """Other attention, activation or order of norms: nothing is recognised, nothing raised."""
    assert blocks_of(encoder(architecture, attention, **changes)).forms == {}


def test_parts_that_somebody_listens_to_are_left_alone() -> None:
    """A hook within a layer would no longer be called: that layer runs by its own code."""
    model = encoder("bert", "sdpa")
    model.bert.encoder.layer[1].attention.register_forward_hook(lambda *_: None)
    assert list(blocks_of(model).forms) == [0]
