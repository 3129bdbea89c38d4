"""Finding the layers of models and freezing them by spec."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
import transformers
from torch import nn
from transformers import PreTrainedModel

from freezebench.errors import ModelError, SpecError
from freezebench.models.layers import LayerMap, find_layers
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import fixed_parameters, freeze

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

SMALL = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
DEBERTA = {**SMALL, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
DEBERTA_V3 = {
    **DEBERTA,
    "position_biased_input": False,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_buckets": 8,
    "type_vocab_size": 0,
}
# Name, configuration, stack, what stands before it, what stands after it.
ARCHITECTURES: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "distilbert": (
        "DistilBert",
        {"vocab_size": 99, "dim": 32, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
        "distilbert.transformer.layer",
        "distilbert.embeddings",
        "pre_classifier classifier",
    ),
    "bert": ("Bert", SMALL, "bert.encoder.layer", "bert.embeddings", "bert.pooler classifier"),
    "roberta": ("Roberta", SMALL, "roberta.encoder.layer", "roberta.embeddings", "classifier"),
    "xlm-roberta": ("XLMRoberta", SMALL, "roberta.encoder.layer", "roberta.embeddings", "classifier"),
    "electra": (
        "Electra",
        {**SMALL, "embedding_size": 16},
        "electra.encoder.layer",
        "electra.embeddings electra.embeddings_project",
        "classifier",
    ),
    "deberta-v2": ("DebertaV2", SMALL, "deberta.encoder.layer", "deberta.embeddings", "pooler classifier"),
    "deberta-v2-relative": (
        "DebertaV2",
        DEBERTA,
        "deberta.encoder.layer",
        "deberta.embeddings deberta.encoder.rel_embeddings",
        "pooler classifier",
    ),
    "deberta-v2-conv": (
        "DebertaV2",
        {**DEBERTA_V3, "conv_kernel_size": 3},
        "deberta.encoder.layer",
        "deberta.embeddings deberta.encoder.rel_embeddings deberta.encoder.LayerNorm deberta.encoder.conv",
        "pooler classifier",
    ),
    "deberta-v3": (
        "DebertaV2",
        DEBERTA_V3,
        "deberta.encoder.layer",
        "deberta.embeddings deberta.encoder.rel_embeddings deberta.encoder.LayerNorm",
        "pooler classifier",
    ),
    "mpnet": (
        "MPNet",
        SMALL,
        "mpnet.encoder.layer",
        "mpnet.embeddings mpnet.encoder.relative_attention_bias",
        "classifier",
    ),
    "modernbert": (
        "ModernBert",
        {**SMALL, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
        "model.layers",
        "model.embeddings",
        "model.final_norm head classifier",
    ),
}
SEEDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
DECODER = {**SMALL, **SEEDS}
# More of what transformers has; name, configuration, and what names the depth.
MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "deberta": ("Deberta", DEBERTA),
    "camembert": ("Camembert", SMALL),
    "convbert": ("ConvBert", {**SMALL, "embedding_size": 16}),
    "ernie": ("Ernie", SMALL),
    "esm": ("Esm", {**SMALL, "pad_token_id": 1, "mask_token_id": 4}),
    "eurobert": ("EuroBert", {**DECODER, "num_key_value_heads": 4, "mask_token_id": 4}),
    "flaubert": ("Flaubert", {"vocab_size": 99, "emb_dim": 32, "n_heads": 4, "max_position_embeddings": 64}),
    "fnet": ("FNet", SMALL),
    "gpt2": ("GPT2", {"vocab_size": 99, "n_embd": 32, "n_head": 4, "n_positions": 64, **SEEDS}),
    "ibert": ("IBert", SMALL),
    "layoutlm": ("LayoutLM", SMALL),
    "llama": ("Llama", {**DECODER, "num_key_value_heads": 2}),
    "longformer": ("Longformer", {**SMALL, "attention_window": 4}),
    "luke": ("Luke", {**SMALL, "entity_vocab_size": 20, "entity_emb_size": 16}),
    "megatron-bert": ("MegatronBert", SMALL),
    "mobilebert": (
        "MobileBert",
        {**SMALL, "embedding_size": 32, "true_hidden_size": 16, "intra_bottleneck_size": 16},
    ),
    "modernbert-decoder": ("ModernBertDecoder", {**DECODER, "cls_token_id": 1, "sep_token_id": 2}),
    "nystromformer": ("Nystromformer", {**SMALL, "num_landmarks": 64, "segment_means_seq_len": 64}),
    "openai-gpt": ("OpenAIGPT", {"vocab_size": 99, "n_embd": 32, "n_head": 4, "n_positions": 64, **SEEDS}),
    "qwen3": ("Qwen3", {**DECODER, "num_key_value_heads": 2, "head_dim": 8}),
    "rembert": ("RemBert", {**SMALL, "input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta-prelayernorm": ("RobertaPreLayerNorm", SMALL),
    "roformer": ("RoFormer", {**SMALL, "embedding_size": 16}),
    "squeezebert": ("SqueezeBert", {**SMALL, "embedding_size": 32}),
    "tapas": ("Tapas", SMALL),
    "xlm": ("XLM", {"vocab_size": 99, "emb_dim": 32, "n_heads": 4, "max_position_embeddings": 64}),
    "xlm-roberta-xl": ("XLMRobertaXL", SMALL),
    "xlnet": ("XLNet", {"vocab_size": 99, "d_model": 32, "n_head": 4, "d_inner": 64}),
    "xmod": ("Xmod", {**SMALL, "languages": ["en"], "default_language": "en"}),
    "yoso": ("Yoso", SMALL),
    "data2vec-text": ("Data2VecText", SMALL),
    "big_bird": ("BigBird", SMALL),
    "reformer": (
        "Reformer",
        {
            "vocab_size": 99,
            "hidden_size": 32,
            "attention_head_size": 8,
            "num_attention_heads": 4,
            "axial_pos_shape": [8, 8],
            "axial_pos_embds_dim": [16, 16],
            "feed_forward_size": 32,
            "max_position_embeddings": 64,
            "num_buckets": 2,
        },
    ),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models are faster on one thread, above all where machines are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(family: str, options: dict[str, Any], *, num_layers: int = 2, num_labels: int = 2) -> PreTrainedModel:
    """Return a tiny classifier of random weights; ``num_hidden_layers`` is what every family calls its depth, too."""
    if family == "Reformer":
        depth: dict[str, Any] = {"attn_layers": ["local", "lsh", "local"][:num_layers]}
    elif family in ("XLM", "Flaubert"):
        depth = {"n_layers": num_layers}
    else:
        depth = {"num_hidden_layers": num_layers}
    config = getattr(transformers, f"{family}Config")(**options, **depth)
    config.num_labels = num_labels
    model: PreTrainedModel = getattr(transformers, f"{family}ForSequenceClassification")(config)
    return model


def modules_of(names: tuple[str, ...], wanted: str) -> set[str]:
    """Return which of the wanted module paths the parameters belong to, and any parameter that belongs to none."""
    paths = wanted.split()
    return {next((path for path in paths if name.startswith(f"{path}.")), name) for name in names}


def all_names(layer_map: LayerMap) -> list[str]:
    """Return every name in a map."""
    return [*layer_map.emb, *(name for layer in layer_map.layers for name in layer), *layer_map.head]


def forward(model: nn.Module) -> torch.Tensor:
    """Return the logits of one small batch."""
    ids = torch.tensor([[7, 8, 9, 10], [11, 12, 13, 2]])
    output = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    logits: torch.Tensor = output if isinstance(output, torch.Tensor) else output.logits
    return logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_embeddings_layers_and_head_are_told_apart(architecture: str) -> None:
    """Every parameter of the named architectures has its one place, layers numbered as in module names."""
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
    """Depth 1 works like any other."""
    family, options, stack, _, _ = ARCHITECTURES[architecture]
    layer_map = find_layers(build(family, options, num_layers=1))
    assert (layer_map.stack, layer_map.num_layers) == (stack, 1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_trainable_feeds_a_frozen_prefix(architecture: str) -> None:
    """With embeddings and first layer frozen, what that layer gives needs no gradient, and all the rest gets one."""
    family, options, stack, _, _ = ARCHITECTURES[architecture]
    model = build(family, options).train()
    freeze(model, "emb+L0")
    seen = []
    model.get_submodule(f"{stack}.0").register_forward_hook(lambda _module, _args, output: seen.append(output))
    torch.autograd.backward(forward(model).sum())
    hidden = seen[0] if isinstance(seen[0], torch.Tensor) else seen[0][0]
    # DeBERTa's convolution mixes into the first layer's output afterwards; it belongs to the embeddings, too.
    assert not hidden.requires_grad
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


@pytest.mark.slow
@pytest.mark.parametrize("architecture", MORE)
def test_layers_of_other_architectures_are_found(architecture: str) -> None:
    """What transformers has beside the named architectures works without being known to us."""
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


def test_trainable_counts_are_the_published_ones() -> None:
    """DistilBERT-base with two labels gives the notebook's eight counts exactly."""
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig())
    counts = {spec: freeze(model, spec).num_trainable_params for spec in PUBLISHED}
    assert counts == PUBLISHED


def test_freezing_again_does_not_depend_on_what_was_frozen() -> None:
    """Parameters are set both ways."""
    model = build(*ARCHITECTURES["bert"][:2])
    first = freeze(model, "emb")
    freeze(model, "emb+L0-1")
    freeze(model, "head+L1")
    assert freeze(model, FreezeSpec.parse("emb")) == first
    assert freeze(model, "none").trainable_fraction == 1.0


def test_what_a_model_has_fixed_stays_so_where_that_is_asked() -> None:
    """Sinusoidal positions, or what adapters adapt, do not learn because nothing else is frozen."""
    model = build(*ARCHITECTURES["bert"][:2])
    layers = find_layers(model)
    model.get_parameter(layers.layers[0][0]).requires_grad_(False)
    fixed = fixed_parameters(model)
    assert fixed == {layers.layers[0][0]}
    for spec in ("none", "emb", "L1"):
        summary = freeze(model, spec, fixed=fixed)
        still = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        assert still == layers.names(FreezeSpec.parse(spec)) | fixed
        assert summary.num_trainable_params == sum(one.numel() for one in model.parameters() if one.requires_grad)
    with pytest.raises(SpecError, match=r"nothing of .* would be left to train.*the model itself has fixed"):
        freeze(model, "none", fixed=dict(model.named_parameters()))


def test_a_summary_counts_what_is_left() -> None:
    """Counts, share and depth stand in the summary."""
    model = build(*ARCHITECTURES["distilbert"][:2], num_layers=3)
    summary = freeze(model, "L1+emb")
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert (summary.spec, summary.num_layers, summary.num_frozen_layers) == ("emb+L1", 3, 1)
    assert summary.num_trainable_params == trainable
    assert summary.num_params == sum(parameter.numel() for parameter in model.parameters())
    assert summary.trainable_fraction == trainable / summary.num_params


@pytest.mark.parametrize("spec", ["L7", "emb+L0-2+head", "L0-"])
def test_a_spec_that_does_not_fit_changes_nothing(spec: str) -> None:
    """Errors come before the first parameter is touched."""
    model = build(*ARCHITECTURES["bert"][:2], num_layers=3)
    freeze(model, "emb")
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    with pytest.raises(SpecError):
        freeze(model, spec)
    assert before == {name: parameter.requires_grad for name, parameter in model.named_parameters()}


def test_looking_leaves_no_traces() -> None:
    """Training flags, random state, hooks, gradients' flags and modules are what they were."""
    model = build(*MORE["big_bird"])  # it changes its attention for good when it meets a short sentence
    model.train()
    model.get_submodule("bert.encoder.layer.0").eval()
    state = {name: (id(module), module.training) for name, module in model.named_modules()}
    random = torch.get_rng_state()
    find_layers(model)
    assert state == {name: (id(module), module.training) for name, module in model.named_modules()}
    assert torch.equal(random, torch.get_rng_state())
    assert getattr(model.get_submodule("bert"), "attention_type") == "block_sparse"  # noqa: B009 - for mypy
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Block(nn.Module):
    """A layer of a custom model."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden states of the same shape."""
        return hidden + torch.tanh(self.dense(self.norm(hidden)))


class Custom(nn.Module):
    """A custom classifier of plain modules; the stack and how it runs are given."""

    def __init__(
        self,
        layers: nn.Module,
        run: Callable[[Any, torch.Tensor], torch.Tensor] | None = None,
        *,
        as_object: bool = False,
        **parts: Any,
    ) -> None:
        super().__init__()
        self.unused_before = nn.Parameter(torch.zeros(3))
        self.embed = nn.Embedding(40, 8, padding_idx=0)
        self.layers = layers
        for name, part in parts.items():
            setattr(self, name, part)
        self.output = nn.Linear(8, 3)
        self._run = run
        self._as_object = as_object

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Return logits of shape (batch, 3)."""
        assert attention_mask.shape == input_ids.shape
        assert (input_ids != 0).all(), "the padding id is no word"
        hidden = self.embed(input_ids)
        if self._run is not None:
            hidden = self._run(self, hidden)
        else:
            for layer in self.layers.children():
                hidden = layer(hidden)
        logits = self.output(hidden.mean(dim=1))
        return SimpleNamespace(logits=logits) if self._as_object else logits


def blocks(num: int) -> nn.ModuleList:
    """Return a list of layers."""
    return nn.ModuleList(Block() for _ in range(num))


@pytest.mark.parametrize("num_layers", [1, 2, 5])
@pytest.mark.parametrize("as_object", [False, True])
def test_custom_classifiers_need_no_configuration(num_layers: int, as_object: bool) -> None:
    """A plain module that takes ids and mask works, whether it returns logits or an object that has them."""
    layer_map = find_layers(Custom(blocks(num_layers), as_object=as_object))
    assert layer_map.stack == "layers"
    assert layer_map.num_layers == num_layers
    assert layer_map.emb == ("unused_before", "embed.weight")
    assert layer_map.head == ("output.weight", "output.bias")


def test_a_sequential_of_equal_layers_is_a_stack() -> None:
    """``Sequential`` serves as well as ``ModuleList``."""
    model = Custom(nn.Sequential(Block(), Block()), lambda self, hidden: self.layers(hidden))
    assert find_layers(model).num_layers == 2


def test_torchs_own_encoder_is_a_stack() -> None:
    """``nn.TransformerEncoder`` is found, although its fast path leaves Python in evaluation mode."""
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3, norm=nn.LayerNorm(8))
    layer_map = find_layers(Custom(encoder, lambda self, hidden: self.layers(hidden)))
    assert (layer_map.stack, layer_map.num_layers) == ("layers.layers", 3)
    assert layer_map.head == ("layers.norm.weight", "layers.norm.bias", "output.weight", "output.bias")


def test_a_list_of_lists_of_parts_is_a_stack() -> None:
    """Layers that are lists of their parts and are never called themselves count by their parts."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        for mixer, norm in self.layers:
            hidden = norm(hidden + mixer(hidden))
        return hidden

    layers = nn.ModuleList(nn.ModuleList([nn.Linear(8, 8), nn.LayerNorm(8)]) for _ in range(3))
    layer_map = find_layers(Custom(layers, run))
    assert layer_map.num_layers == 3
    assert layer_map.layers[1] == ("layers.1.0.weight", "layers.1.0.bias", "layers.1.1.weight", "layers.1.1.bias")


def test_parallel_lists_that_take_turns_are_one_stack() -> None:
    """A model that keeps attentions and norms in lists of their own, as XLM does, has one stack."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        for mixer, norm in zip(self.layers, self.norms, strict=True):
            hidden = norm(mixer(hidden))
        return hidden

    model = Custom(blocks(2), run, norms=nn.ModuleList(nn.LayerNorm(8) for _ in range(2)))
    layer_map = find_layers(model)
    assert layer_map.stack == "{layers,norms}"
    assert layer_map.layers[1][-2:] == ("norms.1.weight", "norms.1.bias")


def test_a_list_of_stages_is_not_taken_for_the_layers() -> None:
    """A list whose members are embeddings, encoder and head does not hide the stack inside it."""
    stages = nn.ModuleList([nn.Embedding(40, 8), nn.Sequential(*blocks(3)), nn.Linear(8, 3)])

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden + self.layers[0](torch.full(hidden.shape[:2], 3))
        hidden = self.layers[1](hidden)
        return hidden + cast("torch.Tensor", self.layers[2](hidden)).sum()

    layer_map = find_layers(Custom(stages, run))
    assert (layer_map.stack, layer_map.num_layers) == ("layers.1", 3)


def test_what_is_used_inside_the_stack_belongs_to_the_embeddings() -> None:
    """A table that every layer reads but none owns is frozen with the embeddings."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            hidden = layer(hidden) * self.table
        return torch.add(hidden, self.late)

    model = Custom(blocks(2), run, table=nn.Parameter(torch.ones(8)), late=nn.Parameter(torch.zeros(8)))
    layer_map = find_layers(model)
    assert "table" in layer_map.emb
    assert "late" in layer_map.head


def test_parameters_that_are_never_used_go_by_position() -> None:
    """Those registered before the stack belong to the embeddings, those after it to the head."""
    model = Custom(blocks(2), unused_after=nn.Linear(8, 8))
    layer_map = find_layers(model)
    assert "unused_before" in layer_map.emb
    assert "unused_after.weight" in layer_map.head


def test_asking_for_a_parameters_type_is_no_use_of_it() -> None:
    """A head whose dtype or device is read early stays a head."""

    def run(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden.to(dtype=self.output.weight.dtype, device=self.output.weight.device)
        return cast("torch.Tensor", self.layers[0](hidden))

    assert find_layers(Custom(blocks(1), run)).head == ("output.weight", "output.bias")


def test_tied_parameters_count_once() -> None:
    """A head that shares the embeddings' table belongs to them, and its numbers are counted once."""
    model = Custom(blocks(2), lambda self, hidden: self.tied(self.layers[1](self.layers[0](hidden)))[..., :8])
    model.tied = nn.Linear(8, 40, bias=False)
    model.tied.weight = model.embed.weight
    summary = freeze(model, "emb")
    assert summary.num_params == sum(parameter.numel() for parameter in set(model.parameters()))
    assert not model.tied.weight.requires_grad


def test_whole_numbers_stay_frozen() -> None:
    """A parameter that cannot have a gradient is no reason to fail."""
    model = Custom(blocks(1), codes=nn.Parameter(torch.zeros(3, dtype=torch.int8), requires_grad=False))
    summary = freeze(model, "none")
    assert summary.num_params - summary.num_trainable_params == 3


def test_a_model_that_cannot_be_copied_is_looked_at_itself() -> None:
    """A lock in a model prevents copying; hooks are removed and training flags put back all the same."""
    model = Custom(blocks(2))
    model.lock = threading.Lock()  # type: ignore[assignment]
    model.train()
    model.layers.eval()
    assert find_layers(model).num_layers == 2
    assert model.training
    assert not any(module.training for module in model.layers.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_nothing_left_to_train_is_refused() -> None:
    """A model without a head cannot have everything else frozen."""
    model = Custom(blocks(1), lambda self, hidden: self.layers[0](hidden))
    model.output = nn.Identity()  # type: ignore[assignment]
    with pytest.raises(SpecError, match="nothing of Custom would be left to train"):
        freeze(model, "emb+L0")


def run_shared(self: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Run the first layer over and over."""
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
    """The error says why, and what to do instead."""
    with pytest.raises(ModelError, match=message) as caught:
        find_layers(model())
    assert "Choose" in str(caught.value) or "module:factory" in str(caught.value)


def test_albert_is_refused_since_its_layers_share_weights() -> None:
    """One layer that runs at every depth cannot be frozen by depth."""
    with pytest.raises(ModelError, match="runs 3 times in one forward pass, so that its depths share weights"):
        freeze(build("Albert", {**SMALL, "embedding_size": 16}, num_layers=3), "emb+L0")


@pytest.mark.parametrize("family", ["Bart", "T5"])
def test_encoder_decoders_are_refused(family: str) -> None:
    """Two stacks have two layers 0."""
    options = {"d_model": 32, "vocab_size": 99, "encoder_layers": 2, "decoder_layers": 2, "num_layers": 2, "d_ff": 32}
    config = getattr(transformers, f"{family}Config")(**options)
    with pytest.raises(ModelError, match="an encoder and a decoder"):
        find_layers(getattr(transformers, f"{family}ForSequenceClassification")(config))


def test_a_model_may_name_its_stack() -> None:
    """Where the choice is not obvious, the model's attribute decides, and the other stack becomes head."""
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
    """Blocks of layers are not layers; the refusal names them."""
    config = transformers.FunnelConfig(
        vocab_size=99, d_model=32, n_head=4, d_head=8, d_inner=64, block_sizes=[2, 2], num_decoder_layers=0
    )
    with pytest.raises(ModelError, match="2 layer stacks"):
        find_layers(transformers.FunnelForSequenceClassification(config))
