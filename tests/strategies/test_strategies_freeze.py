"""Freezing parameters by spec."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn

from architectures import ARCHITECTURES, build
from freezebench.errors import SpecError
from freezebench.models.layers import find_layers
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import fixed_parameters, freeze
from plain_models import Custom, blocks

pytestmark = pytest.mark.usefixtures("one_thread")

PUBLISHED = {
    "none": 66955010,
    "emb": 43119362,
    "emb+L0": 36031490,
    "emb+L0-1": 28943618,
    "emb+L0-2": 21855746,
    "emb+L0-3": 14767874,
    "emb+L0-4": 7680002,
    "emb+L0-5": 592130,
}


def trainable_size(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def forward(model: nn.Module) -> torch.Tensor:
    """Return the logits of one small batch."""
    ids = torch.tensor([[7, 8, 9, 10], [11, 12, 13, 2]])
    output = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    logits: torch.Tensor = output if isinstance(output, torch.Tensor) else output.logits
    return logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_frozen_prefix_has_no_trainable_parameter_before_it(architecture: str) -> None:
    """With embeddings and first layer frozen, the output of that layer has no gradient, and all others have one."""
    family, options, stack, _, _ = ARCHITECTURES[architecture]
    model = build(family, options).train()
    freeze(model, "emb+L0")
    outputs = []
    model.get_submodule(f"{stack}.0").register_forward_hook(lambda _module, _args, output: outputs.append(output))
    torch.autograd.backward(forward(model).sum())
    hidden = outputs[0] if isinstance(outputs[0], torch.Tensor) else outputs[0][0]
    # DeBERTa adds a convolution to the first layer's output afterwards; it belongs to the embeddings, too.
    assert not hidden.requires_grad
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_trainable_counts_are_the_published_ones() -> None:
    """DistilBERT-base with two labels gives the notebook's eight counts exactly."""
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig())
    counts = {spec: freeze(model, spec).num_trainable_params for spec in PUBLISHED}
    assert counts == PUBLISHED


def test_freezing_does_not_depend_on_what_was_frozen_before() -> None:
    """``requires_grad`` is set to true and to false."""
    model = build(*ARCHITECTURES["bert"][:2])
    first = freeze(model, "emb")
    freeze(model, "emb+L0-1")
    freeze(model, "head+L1")
    assert freeze(model, FreezeSpec.parse("emb")) == first
    assert freeze(model, "none").trainable_fraction == 1.0


def test_parameters_given_as_fixed_stay_frozen() -> None:
    """Sinusoidal positions and weights under adapters do not train under any spec."""
    model = build(*ARCHITECTURES["bert"][:2])
    layers = find_layers(model)
    model.get_parameter(layers.layers[0][0]).requires_grad_(False)
    fixed = fixed_parameters(model)
    assert fixed == {layers.layers[0][0]}
    for spec in ("none", "emb", "L1"):
        summary = freeze(model, spec, fixed=fixed)
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        assert frozen == layers.names(FreezeSpec.parse(spec)) | fixed
        assert summary.num_trainable_params == trainable_size(model)
    with pytest.raises(SpecError, match=r"nothing of .* would be left to train.*the model itself has fixed"):
        freeze(model, "none", fixed=dict(model.named_parameters()))


def test_a_stage_of_which_the_model_has_all_fixed_is_refused() -> None:
    """The head trains first under LP-FT, so that it may not be fixed."""
    model = build(*ARCHITECTURES["bert"][:2])
    head = find_layers(model).head
    with pytest.raises(SpecError, match=r"cannot apply lpft: a stage of it would train nothing of .* has these param"):
        freeze(model, "lpft", fixed=head)
    assert freeze(model, "lpft", fixed=head[:1]).num_trainable_params > 0


def test_a_summary_counts_trainable_parameters() -> None:
    """The summary has counts, fraction and depth."""
    model = build(*ARCHITECTURES["distilbert"][:2], num_layers=3)
    summary = freeze(model, "L1+emb")
    trainable = trainable_size(model)
    assert (summary.spec, summary.num_layers, summary.num_frozen_layers) == ("emb+L1", 3, 1)
    assert summary.num_trainable_params == trainable
    assert summary.num_params == sum(parameter.numel() for parameter in model.parameters())
    assert summary.trainable_fraction == trainable / summary.num_params


@pytest.mark.parametrize("spec", ["L7", "emb+L0-2+head", "L0-"])
def test_a_spec_that_does_not_fit_changes_nothing(spec: str) -> None:
    """A spec is checked before the first parameter is changed."""
    model = build(*ARCHITECTURES["bert"][:2], num_layers=3)
    freeze(model, "emb")
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    with pytest.raises(SpecError):
        freeze(model, spec)
    assert before == {name: parameter.requires_grad for name, parameter in model.named_parameters()}


def test_tied_parameters_count_once() -> None:
    """A head that shares the embeddings' table belongs to the embeddings, and its size counts once."""
    model = Custom(blocks(2), lambda self, hidden: self.tied(self.layers[1](self.layers[0](hidden)))[..., :8])
    model.tied = nn.Linear(8, 40, bias=False)
    model.tied.weight = model.embed.weight
    summary = freeze(model, "emb")
    assert summary.num_params == sum(parameter.numel() for parameter in set(model.parameters()))
    assert not model.tied.weight.requires_grad


def test_whole_numbers_stay_frozen() -> None:
    """A parameter that cannot have a gradient stays frozen without an error."""
    model = Custom(blocks(1), codes=nn.Parameter(torch.zeros(3, dtype=torch.int8), requires_grad=False))
    summary = freeze(model, "none")
    assert summary.num_params - summary.num_trainable_params == 3


def test_nothing_left_to_train_is_refused() -> None:
    """In a model without a head, the rest cannot be frozen completely."""
    model = Custom(blocks(1), lambda self, hidden: self.layers[0](hidden))
    model.output = nn.Identity()  # type: ignore[assignment]
    with pytest.raises(SpecError, match="nothing of Custom would be left to train"):
        freeze(model, "emb+L0")


def test_top_layers_are_those_of_the_model() -> None:
    """``top-K`` names the layers that train, as in grids; more than the model has are refused."""
    family, options, *_ = ARCHITECTURES["distilbert"]
    model = build(family, options)
    assert freeze(model, "top-1+norms").spec == "emb+L0+norms"
    with pytest.raises(SpecError, match=r"cannot train the 3 top layers alone: DistilBert.* has 2"):
        freeze(model, "top-3")
