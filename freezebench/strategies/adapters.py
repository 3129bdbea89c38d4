"""LoRA, DoRA and (IA)³: small trainable modules beside or on frozen linear ones, by the PEFT library."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from freezebench.errors import SpecError
from freezebench.models.naming import model_name
from freezebench.strategies.base import Strategy, Trainable

if TYPE_CHECKING:
    import torch
    from peft import IA3Config, LoraConfig

    from freezebench.models.layers import LayerMap
    from freezebench.strategies.adapter_targets import LinearModule

_MOST = 4096  # no encoder has wider matrices; scales are of the order of ranks


@dataclass(frozen=True, kw_only=True)
class Adapters(Strategy, ABC):
    """Adds adapters to linear modules of the layers that are not frozen; these and the head train."""

    family: ClassVar[str] = "adapters"
    extra: ClassVar[str | None] = "peft"
    library: ClassVar[str | None] = "peft"

    @property
    @abstractmethod
    def wanted(self) -> str:
        """The argument ``targets``."""

    def __post_init__(self) -> None:
        # Equal specs have equal ids, in whichever order and however often names are given.
        names = sorted({name.strip() for name in self.wanted.split("|")})
        if not all(names):
            raise SpecError(
                f"{self.name}(targets={self.wanted}): a name is empty. Give names of modules joined by '|', such as "
                "targets=q_lin|v_lin."
            )
        object.__setattr__(self, "targets", "|".join(names))

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Add the adapters to the model by PEFT; the model keeps its class.

        Raises:
            SpecError: If no module matches the targets, or one of them cannot have an adapter.
        """
        from peft import inject_adapter_in_model

        from freezebench.strategies.adapter_saving import save_adapters
        from freezebench.strategies.adapter_targets import find_targets, linear_modules

        _check_no_adapters(model, str(self))
        chosen = find_targets(linear_modules(model, layers, trainable.names), self.wanted, str(self), model)
        self.check_targets(chosen, model)
        before = {id(parameter) for parameter in model.parameters()}
        config = self.config(chosen)
        with warnings.catch_warnings():
            # PEFT warns of what it could be used for as well, such as tied embeddings, which get no adapter here.
            warnings.simplefilter("ignore")
            inject_adapter_in_model(config, model)
        _check_injected(model, chosen, str(self))
        for linear in chosen:  # new modules are in train mode
            module = model.get_submodule(linear.path)
            module.train(model.get_submodule(f"{linear.path}.base_layer").training)
        # The weight of a module with an adapter has got another name, too.
        added = frozenset(name for name, item in model.named_parameters() if id(item) not in before)
        return Trainable(
            names=added | trainable.names.intersection(layers.head),
            added=added,
            save=partial(save_adapters, model=model, config=config, head=layers.head),
            merges=True,
        )

    def check_targets(self, chosen: list[LinearModule], model: torch.nn.Module) -> None:
        """Check that modules can have this adapter.

        Raises:
            SpecError: If one of them cannot.
        """

    @abstractmethod
    def config(self, chosen: list[LinearModule]) -> LoraConfig | IA3Config:
        """Return PEFT's configuration of adapters of some modules."""


@dataclass(frozen=True, kw_only=True)
class Lora(Adapters):
    """Adds to the weight of every target a product of two matrices of rank ``r``, times ``alpha / r``.

    Source: Hu et al. (2022), LoRA: Low-Rank Adaptation of Large Language Models, https://arxiv.org/abs/2106.09685.
    """

    name = "lora"
    summary = "low-rank matrices beside weights, and the head"
    source = "Hu et al. 2022"
    rate_factor = 10.0
    rate_source = (
        "Schulman et al. 2025, LoRA Without Regret; the paper trains RoBERTa with 4e-4 to 5e-4, where fine-tuning all "
        "parameters takes 1e-5 to 5e-5"
    )

    r: int = 8
    alpha: int = 16
    targets: str = "attention"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.r <= _MOST:
            raise SpecError(f"{self.name}(r={self.r}): the rank is a whole number from 1 to {_MOST}. Write r=8.")
        if not 1 <= self.alpha <= _MOST:
            raise SpecError(
                f"{self.name}(alpha={self.alpha}): alpha is a whole number from 1 to {_MOST}. Write alpha=16."
            )
        if not 0 <= self.dropout < 1:
            raise SpecError(
                f"{self.name}(dropout={self.dropout:g}): the rate is a number from 0 to below 1. Write dropout=0.05."
            )

    @property
    def wanted(self) -> str:
        """The argument ``targets``."""
        return self.targets

    def check_targets(self, chosen: list[LinearModule], model: torch.nn.Module) -> None:
        """Check that the rank is not larger than that of a weight."""
        narrowest = min(chosen, key=lambda linear: min(linear.in_features, linear.out_features))
        largest = min(narrowest.in_features, narrowest.out_features)
        if self.r > largest:
            raise SpecError(
                f"cannot apply {self}: {narrowest.path} of {model_name(model)} is a matrix of {narrowest.out_features} "
                f"x {narrowest.in_features}, whose rank is at most {largest}. Write r={max(1, largest // 2)} or less."
            )

    def config(self, chosen: list[LinearModule]) -> LoraConfig:
        """Return PEFT's configuration."""
        from peft import LoraConfig

        return LoraConfig(
            r=self.r,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=[linear.path for linear in chosen],
            fan_in_fan_out=any(linear.is_transposed for linear in chosen),
            use_dora=isinstance(self, Dora),
        )


@dataclass(frozen=True, kw_only=True)
class Dora(Lora):
    """LoRA of the direction of a weight, with a magnitude of every row that trains as well.

    Source: Liu et al. (2024), DoRA: Weight-Decomposed Low-Rank Adaptation, https://arxiv.org/abs/2402.09353.
    """

    name = "dora"
    summary = "low-rank matrices and magnitudes of weights, and the head"
    source = "Liu et al. 2024"
    rate_source = "as of lora, from which the paper takes its settings"


@dataclass(frozen=True, kw_only=True)
class Ia3(Adapters):
    """Multiplies keys, values and the inner activations of feed-forward networks by vectors.

    Source: Liu et al. (2022), Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning,
    https://arxiv.org/abs/2205.05638.
    """

    name = "ia3"
    summary = "factors of keys, values and inner activations, and the head"
    source = "Liu et al. 2022"
    rate_factor = 60.0
    rate_source = "the paper trains with 3e-3, where fine-tuning all parameters of an encoder takes about 5e-5"

    targets: str = "usual"

    @property
    def wanted(self) -> str:
        """The argument ``targets``."""
        return self.targets

    def config(self, chosen: list[LinearModule]) -> IA3Config:
        """Return PEFT's configuration."""
        from peft import IA3Config

        return IA3Config(
            target_modules=[linear.path for linear in chosen],
            feedforward_modules=[linear.path for linear in chosen if linear.is_feed_forward_output],
            fan_in_fan_out=any(linear.is_transposed for linear in chosen),
        )


def _check_no_adapters(model: torch.nn.Module, strategy: str) -> None:
    """Check that a model has no adapters of PEFT yet, with which others would be mixed up.

    Raises:
        SpecError: If it has.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    path = next((path for path, module in model.named_modules() if isinstance(module, BaseTunerLayer)), None)
    if path is not None:
        raise SpecError(
            f"cannot apply {strategy}: {model_name(model)} has adapters of PEFT already, such as that of {path}. "
            "Give the model with these merged into its weights (merge_and_unload), or choose another strategy, such as "
            "bitfit."
        )


def _check_injected(model: torch.nn.Module, chosen: list[LinearModule], strategy: str) -> None:
    """Check that exactly the modules that were chosen have got an adapter; PEFT finds them by the end of their paths.

    Raises:
        SpecError: If another one has.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = {path for path, module in model.named_modules() if isinstance(module, BaseTunerLayer)}
    other = adapted ^ {linear.path for linear in chosen}
    if other:
        raise SpecError(
            f"cannot apply {strategy}: PEFT chooses {min(other)} of {model_name(model)} otherwise than freezebench, "
            "since paths of modules end alike. Choose other targets, or rename the modules."
        )
