"""Candidates for the layer stack, and the trace of a forward pass."""

from __future__ import annotations

import torch
from torch import nn

from freezebench.models.forward_trace import observable, trace_forward
from freezebench.models.layer_search import _num_calls, candidates, join_parallel


class Net(nn.Module):
    """Two layers whose members are lists of experts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 4)
        self.layers = nn.ModuleList(nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)]) for _ in range(2))
        self.mixed = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return hidden states; takes no mask."""
        hidden: torch.Tensor = self.embed(input_ids).to(self.scale.dtype)
        for layer in self.layers:
            for part in layer.children():
                hidden = part(hidden)
        return torch.mul(self.mixed(hidden), self.scale)


def test_candidates_are_numbered_lists_with_parameters_throughout() -> None:
    """Lists inside layers are candidates, a ``Sequential`` of several classes is not."""
    assert [stack.path for stack in candidates(Net())] == ["layers", "layers.0", "layers.1"]


def test_a_stack_inside_a_layer_is_recognised() -> None:
    """A list of experts is inside its layer, and not inside another list of experts."""
    layers, first, second = candidates(Net())
    assert first.is_inside(layers)
    assert not first.is_inside(second)


def test_a_trace_has_order_calls_and_first_uses() -> None:
    """Containers count by their members; reading a parameter's dtype is no use of it."""
    net = Net()
    with observable(net) as shadow:
        trace = trace_forward(shadow, "net")
        layers = join_parallel(candidates(shadow), trace)[0]
        assert layers.order(trace) == [0, 1]
        assert [_num_calls(trace, module) for layer in layers.layers for module in layer] == [1, 1]
        end = layers.end(trace)
    assert trace.first_use[id(net.embed.weight)] < end < trace.first_use[id(net.scale)]
    assert len(trace.first_use) == len(list(net.parameters()))


def test_an_observed_copy_shares_parameters_and_nothing_else() -> None:
    """Hooks and modes of the copy do not affect the model, and weights are not copied."""
    net = Net().train()
    with observable(net) as shadow:
        assert shadow is not net
        assert not shadow.training
        assert [id(parameter) for parameter in shadow.parameters()] == [id(parameter) for parameter in net.parameters()]
    assert net.training
