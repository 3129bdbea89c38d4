"""Adapters of the PEFT library: what they add and train, on which modules, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from architectures import ARCHITECTURES, MORE, build
from freezebench.errors import SpecError
from freezebench.models.layers import find_layers
from freezebench.specs.freeze import FreezeSpec
from freezebench.strategies.freeze import Applied, apply

peft = pytest.importorskip("peft", reason="the extra `peft` is not installed")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of PEFT, which uses what transformers deprecates
]


def adapted(architecture: str, spec: str, *, seed: int = 0) -> tuple[torch.nn.Module, Applied]:
    """Return a tiny classifier of three layers with adapters, and what trains of it."""
    family, options, *_ = ARCHITECTURES.get(architecture) or MORE[architecture]
    torch.manual_seed(0)
    model = build(family, options, num_layers=3)
    model.train(mode=False)
    torch.manual_seed(seed)
    return model, apply(model, spec, find_layers(model))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("strategy", ["lora(r=2,targets=all)", "dora(r=2)", "ia3"])
def test_adapters_of_every_encoder_are_in_open_layers_and_train_with_the_head(architecture: str, strategy: str) -> None:
    """The model keeps its class, its scores and its number of layers; what is frozen can be cached as without them."""
    family, options, stack, *_ = ARCHITECTURES[architecture]
    torch.manual_seed(0)
    before = build(family, options, num_layers=3)
    before.train(mode=False)
    inputs = {"input_ids": torch.randint(5, 90, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    model, applied = adapted(architecture, f"emb+L0+{strategy}")
    assert type(model) is type(before)
    torch.testing.assert_close(model(**inputs).logits, before(**inputs).logits)
    added, head = applied.trainable.added, set(applied.layers.head)
    assert added
    assert all(name.startswith((f"{stack}.1.", f"{stack}.2.")) for name in added)
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable == added | head == applied.trainable.names
    assert applied.layers.num_layers == 3
    assert applied.cached_depth() == 1


@pytest.mark.parametrize(
    "strategy", ["lora(r=2)", "lora(r=3,alpha=5,targets=all)", "dora(r=2)", "ia3", "ia3(targets=all)"]
)
@pytest.mark.parametrize("architecture", ["distilbert", "bert", "modernbert", "gpt2"])
def test_counts_are_those_of_peft(architecture: str, strategy: str) -> None:
    """A PeftModel of the same configuration, with the head as modules to save, has as many trainable parameters."""
    family, options, *_ = ARCHITECTURES.get(architecture) or MORE[architecture]
    model, applied = adapted(architecture, strategy)
    configs: Any = model.peft_config
    config = copy.copy(configs["default"])
    config.modules_to_save = sorted({name.rpartition(".")[0] for name in applied.layers.head})
    torch.manual_seed(0)
    own = peft.get_peft_model(build(family, options, num_layers=3), config)
    num_trainable, num_params = own.get_nb_trainable_parameters()
    num_head = sum(model.get_parameter(name).numel() for name in applied.layers.head)
    assert applied.summary.num_trainable_params == num_trainable
    assert applied.summary.num_params == num_params - num_head  # PEFT keeps the head as it was before training, too
    assert applied.summary.num_added_params == num_trainable - num_head


def test_embeddings_under_adapters_are_frozen_and_can_be_cached() -> None:
    """Nothing of the embeddings or of a layer's own weights trains, whether they are frozen by name or not."""
    model, applied = adapted("distilbert", "lora")
    assert applied.cached_depth() == 0
    assert not any(parameter.requires_grad for name, parameter in model.named_parameters() if "base_layer" in name)
    assert adapted("distilbert", "emb+lora")[1].trainable.names == applied.trainable.names


def test_initial_adapters_depend_on_the_seed() -> None:
    """Equal seeds give equal adapters, and another seed gives other ones."""
    first, again, other = (adapted("bert", "lora", seed=seed)[0] for seed in (1, 1, 2))
    name = "bert.encoder.layer.0.attention.self.query.lora_A.default.weight"
    assert torch.equal(first.get_parameter(name), again.get_parameter(name))
    assert not torch.equal(first.get_parameter(name), other.get_parameter(name))


def test_dropout_of_adapters_is_in_training_only() -> None:
    """It is PEFT's dropout module, of the rate that the argument gives."""
    model, _ = adapted("distilbert", "lora(dropout=0.25)")
    drops = [module for name, module in model.named_modules() if name.endswith("lora_dropout.default")]
    assert {getattr(module, "p", None) for module in drops} == {0.25}
    assert not any(module.training for module in drops)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lora(r=0)", r"lora\(r=0\): the rank is a whole number from 1 to 4096. Write r=8."),
        ("lora(r=9999)", r"lora\(r=9999\): the rank is a whole number from 1 to 4096. Write r=8."),
        ("dora(alpha=0)", r"dora\(alpha=0\): alpha is a whole number from 1 to 4096. Write alpha=16."),
        ("lora(dropout=1)", r"lora\(dropout=1\): the rate is a number from 0 to below 1. Write dropout=0.05."),
        ("lora(dropout=-0.1)", r"the rate is a number from 0 to below 1"),
        ("lora(rank=4)", "lora has no argument 'rank'"),
        ("ia3(r=4)", "ia3 has no argument 'r'"),
    ],
)
def test_bad_arguments_are_refused_without_a_model(text: str, message: str) -> None:
    """One sentence says what is allowed."""
    with pytest.raises(SpecError, match=message):
        FreezeSpec.parse(text)


@pytest.mark.parametrize(
    "text", ["lora", "lora(r=4,alpha=8,targets=q_lin|v_lin,dropout=0.05)", "dora(r=4)", "ia3(targets=all)"]
)
def test_ids_are_canonical(text: str) -> None:
    """They round-trip, and arguments that have their default are left out."""
    assert str(FreezeSpec.parse(text)) == text
    assert str(FreezeSpec.parse("lora(r=8,alpha=16,targets=attention,dropout=0.0)")) == "lora"


def test_names_of_targets_have_one_order() -> None:
    """The order does not matter, nor a repetition; an empty name is refused."""
    assert str(FreezeSpec.parse("lora(targets=v_lin|q_lin|v_lin)")) == "lora(targets=q_lin|v_lin)"
    with pytest.raises(SpecError, match=r"ia3\(targets=a\|\): a name is empty\. Give names of modules"):
        FreezeSpec.parse("ia3(targets=a|)")


def test_a_rank_above_that_of_a_weight_is_refused() -> None:
    """It names the narrowest module and a rank that it can have."""
    with pytest.raises(
        SpecError, match=r"q_lin of DistilBert.* is a matrix of 32 x 32, whose rank is at most 32. Write r=16"
    ):
        adapted("distilbert", "lora(r=33)")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check comes before a model is loaded."""
    monkeypatch.setattr("freezebench.specs.freeze.find_spec", lambda _: None)
    with pytest.raises(SpecError, match=r"lora needs peft, which is not installed. Run: .*'freezebench\[peft\]'"):
        FreezeSpec.parse("lora").check(2, "it")


def test_a_model_with_adapters_of_its_own_is_refused() -> None:
    """PEFT would mix them up with those of the strategy."""
    model, _ = adapted("distilbert", "lora(r=2,targets=q_lin)")
    message = (
        r"cannot apply ia3: DistilBert.* has adapters of PEFT already, such as that of .*layer\.0\.attention\.q_lin\. "
        r"Give the model with these merged into its weights \(merge_and_unload\)"
    )
    with pytest.raises(SpecError, match=message):
        apply(model, "ia3")


def test_modules_whose_paths_end_alike_are_refused() -> None:
    """PEFT, which compares the ends of paths, would add adapters that were not chosen."""

    class Twofold(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(64, 16)
            self.layers = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(2))
            self.head = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([torch.nn.Linear(16, 2)])})

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.table(input_ids) * attention_mask.unsqueeze(-1)
            for layer in self.layers:
                hidden = layer(hidden)
            scores: torch.Tensor = self.head["layers"][0](hidden[:, 0])  # type: ignore[index]
            return scores

    with pytest.raises(SpecError, match=r"PEFT chooses head.layers.0 of Twofold otherwise"):
        apply(Twofold(), "lora(r=2,targets=all)")
