"""BitFit."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn

from architectures import ARCHITECTURES, MORE, build
from encoders import batch, encoder
from freezebench.errors import SpecError
from freezebench.strategies.freeze import apply, freeze
from plain_models import Custom, blocks

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = {**{name: values[:2] for name, values in ARCHITECTURES.items()}, **MORE}
# Their configurations have no biases; those of the head train in any case.
WITHOUT_BIASES = {"eurobert", "llama", "modernbert", "modernbert-decoder", "qwen3"}


@pytest.mark.parametrize("architecture", sorted(FAMILIES.keys() - WITHOUT_BIASES))
def test_only_biases_and_the_head_train(architecture: str) -> None:
    """In every architecture; each layer has some, those of frozen parts stay frozen, and nothing else trains."""
    model = build(*FAMILIES[architecture])
    applied = apply(model, "emb+L0+bitfit")
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trains == applied.trainable.names
    head, last = set(applied.layers.head), set(applied.layers.layers[1])
    assert head <= trains
    biases = trains - head
    assert biases
    assert biases <= last
    assert {name.rpartition(".")[2] for name in biases} <= {
        "bias",
        "q_bias",
        "v_bias",
        "r_w_bias",
        "r_r_bias",
        "r_s_bias",
    }
    # Every linear map of the last layer that has a bias trains it.
    modules = dict(model.named_modules())
    linear = {name for name in last if isinstance(modules[name.rpartition(".")[0]], nn.Linear)}
    assert {name for name in linear if name.endswith(".bias")} <= biases
    assert applied.cached_depth() == 1


@pytest.mark.parametrize("architecture", sorted(WITHOUT_BIASES))
def test_a_model_without_biases_is_refused_by_name(architecture: str) -> None:
    """With the reason and what else there is; the model stays as it was."""
    model = build(*FAMILIES[architecture])
    with pytest.raises(SpecError) as caught:
        freeze(model, "bitfit")
    assert str(caught.value) == (
        f"cannot apply bitfit: the embeddings and layers of {type(model).__name__} that are not frozen have no biases. "
        "Choose another strategy, such as norms or lora."
    )
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("architecture", ["bert", "roberta", "electra", "distilbert", "mpnet", "deberta-v2"])
def test_a_gradient_reaches_every_bias(architecture: str) -> None:
    """Nothing trains by name only."""
    model = encoder(architecture, "eager")
    freeze(model, "bitfit")
    torch.autograd.backward(model(**batch()).logits.square().sum())
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert reached == {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_the_number_of_parameters_is_the_published_one() -> None:
    """The paper has 0.09% of BERT-base and 0.08% of BERT-large train, the task's classifier left out."""
    config = transformers.BertConfig()
    with torch.device("meta"):
        model = transformers.BertModel(config, add_pooling_layer=False)
    biases = sum(parameter.numel() for name, parameter in model.named_parameters() if "bias" in name.rpartition(".")[2])
    layer = (
        768 * (3 + 1 + 1 + 1 + 1) + 3072
    )  # query, key, value, output, two norms, output of the wide map, the wide map
    assert biases == 12 * layer + 768
    assert round(100 * biases / sum(parameter.numel() for parameter in model.parameters()), 2) == 0.09


def test_biases_of_plain_modules() -> None:
    """A model of one's own is treated as any other; a parameter that is called otherwise is no bias."""
    model = Custom(blocks(2))
    summary = freeze(model, "bitfit")
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    expected = {f"layers.{layer}.{module}.bias" for layer in range(2) for module in ("dense", "norm")}
    assert trains == expected | {"output.weight", "output.bias"}
    assert summary.num_trainable_params == 4 * 8 + 8 * 3 + 3


def test_biases_that_are_all_frozen() -> None:
    """Of a model whose last layer has none, a prefix may leave nothing but the head."""
    model = Custom(blocks(2))
    last: nn.Module = model.layers.get_submodule("1")
    last.dense = nn.Linear(8, 8, bias=False)
    last.norm = nn.LayerNorm(8, bias=False)
    with pytest.raises(SpecError, match="layers of Custom that are not frozen have no biases"):
        freeze(model, "emb+L0+bitfit")
