"""BitFit: only biases and the head train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.models.naming import model_name
from freezebench.strategies.base import Strategy, Trainable

if TYPE_CHECKING:
    import torch

    from freezebench.models.layers import LayerMap


@dataclass(frozen=True, kw_only=True)
class BitFit(Strategy):
    """Trains the biases of all parts that are not frozen, and the head.

    Biases are the parameters with ``bias`` in their own name, as PyTorch names them, those of normalization layers and
    attention included; tables that are called biases, such as those of relative positions, are none.

    Source: Ben Zaken, Goldberg and Ravfogel (2022), BitFit: Simple Parameter-efficient Fine-tuning for
    Transformer-based Masked Language-models, https://aclanthology.org/2022.acl-short.1. Their code
    (https://github.com/benzakenelad/BitFit) trains biases at 1e-3 by default, and the usual rates of all parameters of
    BERT end at 5e-5 (Devlin et al. 2019, appendix A.3).
    """

    name = "bitfit"
    summary = "biases and the head"
    source = "Ben Zaken, Goldberg and Ravfogel 2022"
    family = "some parameters"
    rate_factor = 20.0
    rate_source = "its authors' code trains biases at 1e-3; BERT is fine-tuned at 5e-5 or less"

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return the biases and the head.

        Raises:
            SpecError: If embeddings and layers have no bias that is not frozen.
        """
        biases = {name for name in trainable.names if "bias" in name.rpartition(".")[2]}
        if not biases.difference(layers.head):
            raise SpecError(
                f"cannot apply bitfit: the embeddings and layers of {model_name(model)} that are not frozen have no "
                "biases. Choose another strategy, such as norms or lora."
            )
        return trainable.only(biases | set(layers.head))
