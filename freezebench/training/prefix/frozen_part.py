"""The frozen part of a model: what its outputs are computed with, and a hash of all that they depend on."""

from __future__ import annotations

import hashlib
import inspect
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import transformers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freezebench.specs.run import Precision
    from freezebench.training.batches.packed import FlatSplit
    from freezebench.training.cpu.operations import QuickOps

# Kept files of other forms are never read as this one.
_FORM = 2
_NO_SETTINGS = frozenset({"training", "name_or_path"})  # equal contents are equal in another folder, too


@dataclass(kw_only=True)
class FrozenPart:
    """What a prefix is computed with.

    Attributes:
        model: The model, on its device.
        stack: Module path of its layers.
        names: Names of the parameters before or inside the stack, which the outputs depend on.
        precision: Number format of the forward pass.
        ops: Quick operations for the pass; ``None``: PyTorch's own.
        first_suffices: Tells whether behind the whole stack only the first token of a sentence is needed.
    """

    model: torch.nn.Module
    stack: str
    names: frozenset[str]
    precision: Precision
    ops: QuickOps | None = None
    first_suffices: Callable[[], bool] = field(default=lambda: False)

    @property
    def num_layers(self) -> int:
        """Depth of the stack."""
        return len(list(self.model.get_submodule(self.stack).children()))

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return next(self.model.parameters()).device

    def key(self, splits: Mapping[str, FlatSplit]) -> str:
        """Return a hash of everything that the outputs depend on.

        That is the model's class, source and configuration, the plain values of its modules' attributes, its weights,
        the token ids (which stand for tokenizer, truncation and sentences), the number format, the kind of device and
        the libraries' versions.
        """
        with_source = ""
        with suppress(OSError, TypeError):
            with_source = inspect.getsource(inspect.getmodule(type(self.model)) or type(self.model))
        head = f"{_FORM} {torch.__version__} {transformers.__version__} {self.precision} {self.device}"
        described = f"{type(self.model).__qualname__} {_configuration(self.model)}"
        digest = hashlib.sha256(f"{head} {described} {with_source}".encode())
        for name, module in self.model.named_modules():
            digest.update(f"{name} {type(module).__qualname__} {_settings(module)}".encode())
        state = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        for name, tensor in state.items():
            if name in self.names or not isinstance(tensor, torch.nn.Parameter):
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for name, split in splits.items():
            for column, values in sorted(split.fields.items()):
                digest.update(f"{name} {column}".encode())
                digest.update(values.numpy().tobytes())
            digest.update(split.offsets.numpy().tobytes())
        return digest.hexdigest()


def _configuration(model: torch.nn.Module) -> str:
    """Return a model's configuration but for where it was loaded from."""
    config = getattr(model, "config", None)
    as_json = getattr(config, "to_json_string", None)
    if not callable(as_json):
        return str(config)
    values = json.loads(as_json(use_diff=False))
    values.pop("_name_or_path", None)
    return json.dumps(values, sort_keys=True)


def _settings(module: torch.nn.Module) -> list[tuple[str, object]]:
    """Return what its forward pass may read beside tensors: factors, sizes, flags such as gradient checkpointing's."""
    plain = ((name, value) for name, value in vars(module).items() if isinstance(value, bool | int | float | str))
    return sorted((name, value) for name, value in plain if name not in _NO_SETTINGS)
