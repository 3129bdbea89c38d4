"""Finding the layers of transformers' encoders."""

from __future__ import annotations

import pytest
import torch
import transformers
from packaging.version import Version

from architectures import ARCHITECTURES, MORE, SMALL, build
from freezebench.errors import ModelError
from freezebench.models.layers import LayerMap, find_layers
from freezebench.strategies.freeze import freeze

pytestmark = pytest.mark.usefixtures("one_thread")


def modules_of(names: tuple[str, ...], module_paths: str) -> set[str]:
    """Return the module paths to which parameters belong, and the parameters that belong to none of them."""
    paths = module_paths.split()
    return {next((path for path in paths if name.startswith(f"{path}.")), name) for name in names}


def all_names(layer_map: LayerMap) -> list[str]:
    """Return every name in a map."""
    return [*layer_map.emb, *(name for layer in layer_map.layers for name in layer), *layer_map.head]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_belongs_to_embeddings_a_layer_or_the_head(architecture: str) -> None:
    """The parts are those of the architecture, and layers have the numbers of their module names."""
    family, options, stack, emb, head = ARCHITECTURES[architecture]
    model = build(family, options, num_layers=3)
    layer_map = find_layers(model)
    assert (layer_map.stack, layer_map.num_layers) == (stack, 3)
    assert modules_of(layer_map.emb, emb) == set(emb.split())
    assert modules_of(layer_map.head, head) == set(head.split())
    for number, layer in enumerate(layer_map.layers):
        assert modules_of(layer, f"{stack}.{number}") == {f"{stack}.{number}"}
    assert sorted(all_names(layer_map)) == sorted(name for name, _ in model.named_parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_stack_of_one_layer_is_found(architecture: str) -> None:
    """A single layer is a stack, too."""
    family, options, stack, _, _ = ARCHITECTURES[architecture]
    if family == "ModernBert" and Version(transformers.__version__) < Version("5.17"):
        pytest.skip("Transformers before 5.17 cannot configure ModernBERT with one layer")
    layer_map = find_layers(build(family, options, num_layers=1))
    assert (layer_map.stack, layer_map.num_layers) == (stack, 1)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", MORE)
def test_layers_of_other_architectures_are_found(architecture: str) -> None:
    """Other encoders of transformers work without code for them."""
    family, options = MORE[architecture]
    model = build(family, options, num_layers=3).train()
    layer_map = find_layers(model)
    assert layer_map.num_layers == 3
    assert layer_map.emb
    assert layer_map.head
    assert sorted(all_names(layer_map)) == sorted(name for name, _ in model.named_parameters())
    assert freeze(model, "emb+L0-2").num_trainable_params > 0


@pytest.mark.slow
def test_canine_has_its_deep_stack_between_single_layers() -> None:
    """Small stacks before and after the deep one belong to embeddings and head."""
    options = {**SMALL, "num_hash_buckets": 16, "num_hash_functions": 2, "local_transformer_stride": 4}
    layer_map = find_layers(build("Canine", options, num_layers=12))
    assert (layer_map.stack, layer_map.num_layers) == ("canine.encoder.layer", 12)
    assert any(name.startswith("canine.initial_char_encoder.layer.0") for name in layer_map.emb)
    assert any(name.startswith("canine.final_char_encoder.layer.0") for name in layer_map.head)


def test_finding_layers_does_not_change_the_model() -> None:
    """Training flags, random state, hooks and modules are the same afterwards."""
    model = build(*MORE["big_bird"])  # it replaces its attention when it reads a short sentence
    model.train()
    model.get_submodule("bert.encoder.layer.0").eval()
    state = {name: (id(module), module.training) for name, module in model.named_modules()}
    random = torch.get_rng_state()
    find_layers(model)
    assert state == {name: (id(module), module.training) for name, module in model.named_modules()}
    assert torch.equal(random, torch.get_rng_state())
    assert getattr(model.get_submodule("bert"), "attention_type") == "block_sparse"  # noqa: B009 - for mypy
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_albert_is_refused_since_its_layers_share_weights() -> None:
    """One layer that runs at every depth cannot be frozen by depth."""
    with pytest.raises(ModelError, match="runs 3 times in one forward pass, so that its depths share weights"):
        freeze(build("Albert", {**SMALL, "embedding_size": 16}, num_layers=3), "emb+L0")


@pytest.mark.parametrize("family", ["Bart", "T5"])
def test_encoder_decoders_are_refused(family: str) -> None:
    """Encoder and decoder each have a layer 0."""
    options = {"d_model": 32, "vocab_size": 99, "encoder_layers": 2, "decoder_layers": 2, "num_layers": 2, "d_ff": 32}
    config = getattr(transformers, f"{family}Config")(**options)
    with pytest.raises(ModelError, match="an encoder and a decoder"):
        find_layers(getattr(transformers, f"{family}ForSequenceClassification")(config))


def test_a_model_may_name_its_stack() -> None:
    """With several stacks, the model's attribute decides, and the other stack belongs to the head."""
    config = transformers.T5Config(d_model=32, vocab_size=99, num_layers=2, d_ff=32, num_heads=2, d_kv=16)
    setattr(config, "decoder_start_token_id", 0)  # noqa: B010 - for mypy
    model = transformers.T5ForSequenceClassification(config)
    setattr(model, "layer_stack", "transformer.encoder.block")  # noqa: B010 - for mypy
    layer_map = find_layers(model)
    assert layer_map.num_layers == 2
    assert layer_map.emb == ("transformer.shared.weight",)
    assert any(name.startswith("transformer.decoder.block.0") for name in layer_map.head)
    setattr(model, "layer_stack", "transformer.blocks")  # noqa: B010
    with pytest.raises(ModelError, match=r"transformer\.encoder\.block, transformer\.decoder\.block"):
        find_layers(model)


def test_funnels_blocks_are_several_stacks() -> None:
    """A block of layers is a stack, not a layer."""
    config = transformers.FunnelConfig(
        vocab_size=99, d_model=32, n_head=4, d_head=8, d_inner=64, block_sizes=[2, 2], num_decoder_layers=0
    )
    with pytest.raises(ModelError, match="2 layer stacks"):
        find_layers(transformers.FunnelForSequenceClassification(config))
