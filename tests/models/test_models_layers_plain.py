"""Finding the layers of classifiers made of plain modules."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import nn

from freezebench.errors import ModelError
from freezebench.models.layers import find_layers
from plain_models import Block, Custom, blocks

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("num_layers", [1, 2, 5])
@pytest.mark.parametrize("as_object", [False, True])
def test_custom_classifiers_need_no_configuration(num_layers: int, as_object: bool) -> None:
    """A plain module of ids and mask works, whether it returns logits or an object with them."""
    layer_map = find_layers(Custom(blocks(num_layers), as_object=as_object))
    assert layer_map.stack == "layers"
    assert layer_map.num_layers == num_layers
    assert layer_map.emb == ("unused_before", "embed.weight")
    assert layer_map.head == ("output.weight", "output.bias")


def test_a_sequential_of_equal_layers_is_a_stack() -> None:
    """A ``Sequential`` is a list of layers as a ``ModuleList`` is."""
    model = Custom(nn.Sequential(Block(), Block()), lambda self, hidden: self.layers(hidden))
    assert find_layers(model).num_layers == 2


def test_torchs_own_encoder_is_a_stack() -> None:
    """``nn.TransformerEncoder`` is found, although its fast path in evaluation mode runs outside Python."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3, norm=nn.LayerNorm(8))
    layer_map = find_layers(Custom(encoder, lambda self, hidden: self.layers(hidden)))
    assert (layer_map.stack, layer_map.num_layers) == ("layers.layers", 3)
    assert layer_map.head == ("layers.norm.weight", "layers.norm.bias", "output.weight", "output.bias")


def test_a_list_of_lists_of_parts_is_a_stack() -> None:
    """A layer that is a list of modules and is not called itself counts by its modules."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        for mixer, norm in self.layers:
            hidden = norm(hidden + mixer(hidden))
        return hidden

    layers = nn.ModuleList(nn.ModuleList([nn.Linear(8, 8), nn.LayerNorm(8)]) for _ in range(3))
    layer_map = find_layers(Custom(layers, run))
    assert layer_map.num_layers == 3
    assert layer_map.layers[1] == ("layers.1.0.weight", "layers.1.0.bias", "layers.1.1.weight", "layers.1.1.bias")


def test_parallel_lists_whose_members_alternate_are_one_stack() -> None:
    """A model with a list of attentions and a list of norms, such as XLM, has one stack."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        for mixer, norm in zip(self.layers, self.norms, strict=True):
            hidden = norm(mixer(hidden))
        return hidden

    model = Custom(blocks(2), run, norms=nn.ModuleList(nn.LayerNorm(8) for _ in range(2)))
    layer_map = find_layers(model)
    assert layer_map.stack == "{layers,norms}"
    assert layer_map.layers[1][-2:] == ("norms.1.weight", "norms.1.bias")


def test_a_list_of_stages_is_not_the_stack() -> None:
    """In a list of embeddings, encoder and head, the stack inside the encoder is found."""
    stages = nn.ModuleList([nn.Embedding(40, 8), nn.Sequential(*blocks(3)), nn.Linear(8, 3)])

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden + self.layers[0](torch.full(hidden.shape[:2], 3))
        hidden = self.layers[1](hidden)
        return hidden + cast("torch.Tensor", self.layers[2](hidden)).sum()

    layer_map = find_layers(Custom(stages, run))
    assert (layer_map.stack, layer_map.num_layers) == ("layers.1", 3)


def test_parameters_used_inside_the_stack_belong_to_the_embeddings() -> None:
    """A table that every layer reads and no layer contains is frozen with the embeddings."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            hidden = layer(hidden) * self.table
        return torch.add(hidden, self.late)

    model = Custom(blocks(2), run, table=nn.Parameter(torch.ones(8)), late=nn.Parameter(torch.zeros(8)))
    layer_map = find_layers(model)
    assert "table" in layer_map.emb
    assert "late" in layer_map.head


def test_unused_parameters_are_assigned_by_position() -> None:
    """Those registered before the stack belong to the embeddings, those after it to the head."""
    model = Custom(blocks(2), unused_after=nn.Linear(8, 8))
    layer_map = find_layers(model)
    assert "unused_before" in layer_map.emb
    assert "unused_after.weight" in layer_map.head


def test_reading_a_parameters_dtype_is_no_use_of_it() -> None:
    """A head whose dtype or device is read early is still the head."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden.to(dtype=self.output.weight.dtype, device=self.output.weight.device)
        return cast("torch.Tensor", self.layers[0](hidden))

    assert find_layers(Custom(blocks(1), run)).head == ("output.weight", "output.bias")


def test_a_model_that_cannot_be_copied_is_observed_itself() -> None:
    """A lock in a model prevents copying; hooks are removed and training flags restored."""
    model = Custom(blocks(2))
    model.lock = threading.Lock()  # type: ignore[assignment]
    model.train()
    model.layers.eval()
    assert find_layers(model).num_layers == 2
    assert model.training
    assert not any(module.training for module in model.layers.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def run_shared(self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Run the first layer three times."""
    for _ in range(3):
        hidden = self.layers[0](hidden)
    return hidden


def run_backwards(self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Run the last layer first."""
    for layer in reversed(self.layers):
        hidden = layer(hidden)
    return hidden


def run_first(self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Leave layers out."""
    return cast("torch.Tensor", self.layers[0](hidden))


def run_both(self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Run two stacks after each other."""
    for layer in [*self.layers, *self.decoder]:
        hidden = layer(hidden)
    return hidden


def run_none(_self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Run no layer."""
    return hidden


def run_badly(_self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Fail."""
    raise RuntimeError(f"cannot do {len(hidden)}")


def shared_weights() -> nn.ModuleList:
    """Return layers of which two share a weight."""
    first, second, third = Block(), Block(), Block()
    third.dense.weight = first.dense.weight
    return nn.ModuleList([first, second, third])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Custom(blocks(1), run_shared), r"layers\.0 runs 3 times .* share weights"),
        (lambda: Custom(blocks(3), run_backwards), r"layers run in the order 2, 1, 0"),
        (lambda: Custom(blocks(2), run_first), r"layers\.1 does not run"),
        (lambda: Custom(blocks(2), run_both, decoder=blocks(2)), r"2 layer stacks, layers \(2\) and decoder \(2\)"),
        (lambda: Custom(blocks(2), run_none), "no list of modules in it"),
        (lambda: Custom(nn.LSTM(8, 8), run_none), "no list of modules in it"),
        (lambda: Custom(blocks(2), run_badly), r"fails \(RuntimeError: cannot do 1\)"),
        (lambda: Custom(shared_weights()), "layers 0 and 2 of layers share parameters"),
    ],
)
def test_stacks_that_cannot_be_frozen_by_layers_are_refused(model: Callable[[], nn.Module], message: str) -> None:
    """The error gives the reason and what to do instead."""
    with pytest.raises(ModelError, match=message) as caught:
        find_layers(model())
    assert "Choose" in str(caught.value) or "module:factory" in str(caught.value)
