"""Which linear modules of a model get adapters."""

from __future__ import annotations

import pytest
import torch

from architectures import ARCHITECTURES, MORE, build
from custom_models import batch_norm_head, torchs_own_encoder
from freezebench.errors import SpecError
from freezebench.models.layers import find_layers
from freezebench.strategies.adapter_targets import find_targets, linear_modules

pytestmark = pytest.mark.usefixtures("one_thread")


def chosen(model: torch.nn.Module, targets: str, *, first_layer: int = 1) -> list[str]:
    """Return the paths of what gets adapters, below the last layer, with layers from a number on open."""
    layers = find_layers(model)
    names = {name for layer in layers.layers[first_layer:] for name in layer} | set(layers.head)
    modules = find_targets(linear_modules(model, layers, names), targets, "lora", model)
    return [module.path.rpartition(".1.")[2] for module in modules]


def encoder(name: str) -> torch.nn.Module:
    """Return a tiny classifier of two layers."""
    family, options, *_ = ARCHITECTURES.get(name) or MORE[name]
    torch.manual_seed(0)
    return build(family, options)


@pytest.mark.parametrize(
    ("name", "attention", "others", "usual"),
    [
        ("distilbert", "q_lin k_lin v_lin out_lin", "lin1 lin2", "k_lin v_lin lin2"),
        ("bert", "query key value dense", "dense dense", "key value dense"),
        ("deberta-v3", "query_proj key_proj value_proj dense", "dense dense", "key_proj value_proj dense"),
        ("mpnet", "q k v o", "dense dense", "k v dense"),
        ("modernbert", "Wqkv Wo", "Wi Wo", "Wqkv Wo"),
        ("gpt2", "c_attn c_proj", "c_fc c_proj", "c_attn c_proj"),
        ("xlm", "q_lin k_lin v_lin out_lin", "lin1 lin2", "k_lin v_lin lin2"),
        ("llama", "q_proj k_proj v_proj o_proj", "gate_proj up_proj down_proj", "k_proj v_proj down_proj"),
    ],
)
def test_attention_and_feed_forward_are_found_by_structure(name: str, attention: str, others: str, usual: str) -> None:
    """Of the open layer alone; the head and what stands before the layers have none."""
    model = encoder(name)
    last = [[path.rpartition(".")[2] for path in chosen(model, targets)] for targets in ("attention", "all", "usual")]
    assert last == [attention.split(), [*attention.split(), *others.split()], usual.split()]


def test_names_are_ends_of_paths() -> None:
    """As in PEFT: whole names between dots, one or several of them."""
    model = encoder("bert")
    assert chosen(model, "query|value") == ["attention.self.query", "attention.self.value"]
    assert chosen(model, "attention.output.dense") == ["attention.output.dense"]
    assert chosen(model, "dense") == ["attention.output.dense", "intermediate.dense", "output.dense"]
    with pytest.raises(
        SpecError, match=r"uery is no linear module .* Choose from attention, all, query, key, value, dense"
    ):
        chosen(model, "query|uery")
    with pytest.raises(SpecError, match=r"q_lin is no linear module in the layers of Bert"):
        chosen(model, "q_lin|query")


def test_an_encoder_without_attention_names_its_linear_modules() -> None:
    """FNet has Fourier transforms instead."""
    with pytest.raises(
        SpecError, match=r"targets=attention matches no linear module .* targets=all, or .* name: dense"
    ):
        chosen(encoder("fnet"), "attention")


def test_an_encoder_of_convolutions_is_refused() -> None:
    """SqueezeBERT has no linear module in its layers."""
    with pytest.raises(SpecError, match=r"have no linear modules \(torch.nn.Linear\). Choose another strategy"):
        chosen(encoder("squeezebert"), "all")


@pytest.mark.parametrize("targets", ["attention", "all", "linear1"])
def test_torchs_own_layers_are_refused(targets: str) -> None:
    """Their fast path uses the weights of linear modules without calling them, so that evaluation had no adapters."""
    with pytest.raises(
        SpecError, match=r"is inside a torch.nn.(TransformerEncoderLayer|MultiheadAttention), which uses"
    ):
        chosen(torchs_own_encoder(2)[0], targets)


def test_torchs_own_attention_is_refused() -> None:
    """Its output projection is a linear module that is never called."""
    with pytest.raises(SpecError, match=r"out_proj of _Classifier is inside a torch.nn.MultiheadAttention"):
        chosen(batch_norm_head(2)[0], "attention")


def test_shared_weights_are_refused() -> None:
    """An adapter of one module, merged into the weight, would change the other one as well."""
    model = encoder("distilbert")
    lin1, out = (model.get_submodule(f"distilbert.transformer.layer.1.attention.{name}") for name in ("q_lin", "k_lin"))
    out.weight = lin1.weight
    with pytest.raises(SpecError, match=r"k_lin of Dist.* share a weight|q_lin and .*k_lin of Dist.* share a weight"):
        chosen(model, "attention")
    assert chosen(model, "ffn.lin1") == ["ffn.lin1"]
