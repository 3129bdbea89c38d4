"""Normalization layers alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from architectures import ARCHITECTURES, MORE, build
from encoders import batch, encoder
from freezebench.errors import SpecError
from freezebench.strategies.freeze import apply, freeze
from freezebench.strategies.norms import is_normalization
from plain_models import Block, Custom

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = {**{name: values[:2] for name, values in ARCHITECTURES.items()}, **MORE}


@pytest.mark.parametrize("architecture", sorted(FAMILIES))
def test_only_normalization_and_the_head_train(architecture: str) -> None:
    """In every architecture; they are vectors, and each of their modules trains as a whole."""
    model = build(*FAMILIES[architecture])
    applied = apply(model, "emb+L0+norms")
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trains == applied.trainable.names
    head, last = set(applied.layers.head), set(applied.layers.layers[1])
    assert head <= trains
    norms = trains - head
    assert len(norms) >= 2
    assert norms <= last
    parameters, modules = dict(model.named_parameters()), dict(model.named_modules())
    assert {parameters[name].dim() for name in norms} == {1}
    for name in norms:
        path = name.rpartition(".")[0]
        assert {f"{path}.{own}" for own, _ in modules[path].named_parameters()} <= norms
    # None that is called so was missed: by its class, or by its name in the module around it.
    paths = {name: name.rpartition(".")[0] for name in last}
    called = {name: f"{path.rpartition('.')[2]} {type(modules[path]).__name__}".lower() for name, path in paths.items()}
    assert {name for name, text in called.items() if "norm" in text} == norms
    assert applied.cached_depth() == 1


@pytest.mark.parametrize("architecture", ["bert", "roberta", "electra", "distilbert", "mpnet", "modernbert"])
def test_a_gradient_reaches_every_normalization_layer(architecture: str) -> None:
    """Nothing trains by name only."""
    model = encoder(architecture, "eager")
    freeze(model, "norms")
    torch.autograd.backward(model(**batch()).logits.square().sum())
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert reached == {name for name, parameter in model.named_parameters() if parameter.requires_grad}


class Standardize(nn.Module):
    """A layer normalization that is called otherwise, and so are its parameters."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(width) + 0.5)
        self.shift = nn.Parameter(torch.rand(width))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden states of mean 0 and variance 1, scaled."""
        centered = hidden - hidden.mean(-1, keepdim=True)
        out: torch.Tensor = self.gain * centered / (centered.std(-1, keepdim=True) + 1e-6) + self.shift
        return out


class Gain(Standardize):
    """A gain and a shift without normalization, as of the scaled branches of some models."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return scaled hidden states."""
        return self.gain * hidden + self.shift


class Constant(Standardize):
    """A learned vector, whatever the input is."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the same for every input."""
        return (self.gain + self.shift).expand_as(hidden)


class ScaleNorm(nn.Module):
    """Normalization with a single number, as of Nguyen and Salazar 2019."""

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.tensor(3.0))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden states of one length."""
        out: torch.Tensor = self.g * hidden / hidden.norm(dim=-1, keepdim=True)
        return out


class NormedBlock(Block):
    """A layer that is called after its normalization, and is none itself."""


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.LayerNorm(8), True),
        (nn.LayerNorm((3, 8)), True),
        (nn.RMSNorm(8), True),
        (nn.GroupNorm(2, 8), True),
        (nn.BatchNorm1d(8), True),
        (nn.LayerNorm(8, elementwise_affine=False), False),
        (Standardize(), True),
        (Standardize().to(torch.bfloat16), True),
        (ScaleNorm(), True),
        (Gain(), False),
        (Constant(), False),
        (NormedBlock(), False),
        (nn.Linear(8, 8), False),
        (nn.Linear(1, 8), False),
        (nn.Embedding(3, 8), False),
        (nn.PReLU(), False),
        (nn.PReLU(8), False),
        (nn.Softmax(-1), False),
    ],
)
def test_normalization_is_found_by_what_it_does(module: nn.Module, *, expected: bool) -> None:
    """By the name of its class, or because the scale of its input does not matter."""
    assert is_normalization(module) is expected


def test_custom_normalization_trains() -> None:
    """In a model of one's own, whatever it is called there."""
    layers = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), Standardize()) for _ in range(2))
    model = Custom(layers)
    freeze(model, "emb+L0+norms")
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trains == {"layers.1.1.gain", "layers.1.1.shift", "output.weight", "output.bias"}


def test_a_model_without_normalization_is_refused_by_name() -> None:
    """With the reason and what else there is; that of the head does not count."""
    model = Custom(nn.ModuleList(nn.Linear(8, 8) for _ in range(2)), output_norm=nn.LayerNorm(8))
    with pytest.raises(SpecError) as caught:
        freeze(model, "norms")
    assert str(caught.value) == (
        "cannot apply norms: the embeddings and layers of Custom that are not frozen have no normalization layers with "
        "parameters. Choose another strategy, such as bitfit or lora."
    )
