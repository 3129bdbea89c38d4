"""A frozen prefix: the layers whose outputs are cached, and a key for everything that these outputs depend on.

Outputs are shared by runs with other seeds and, if a folder is given, by later sessions. They may be reused only if the
model would compute the same again. The key is a hash of all that decides this::

    libraries    versions of torch and transformers, number format, kind and model of the device
    code         class of the model, source of its module, class of every module in it
    settings     configuration (without the folder that it was loaded from), plain attributes of every module
    weights      parameters before and inside the layer stack, all buffers
    inputs       token ids and other fields of all splits, which tokenizer, truncation and sentences decide

The head is left out: its weights change with the seed, and nothing before it depends on them. What no hash can cover,
such as a function that a module holds, is caught by ``verify``, which recomputes a sample.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import transformers

from freezebench.training.device import device_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from freezebench.specs.run import Precision
    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.cpu.operations import CpuOperations

# Part of the key: files of another format have other keys.
_FORMAT = 3
_NO_SETTINGS = frozenset({"training", "name_or_path"})  # neither changes the outputs of a frozen prefix


@dataclass(kw_only=True)
class FrozenPrefix:
    """How the hidden states behind frozen layers are computed.

    Attributes:
        model: The model, on its device.
        stack: Module path of its layers.
        names: Names of the parameters before or inside the stack, which the outputs depend on.
        precision: Number format of the forward pass.
        cpu_operations: Faster operations for the pass; ``None``: PyTorch's own.
        cls_suffices: Returns whether behind the whole stack only the first token of a sentence is needed.
        plain: Of a model to which strategies have added something, what :func:`model_key` returned before, and the
            number of leading layers to which nothing was added: up to there, other runs compute the same.
    """

    model: torch.nn.Module
    stack: str
    names: frozenset[str]
    precision: Precision
    cpu_operations: CpuOperations | None = None
    cls_suffices: Callable[[], bool] = field(default=lambda: False)
    plain: tuple[str, int] | None = None

    @property
    def num_layers(self) -> int:
        """Depth of the stack."""
        return len(list(self.model.get_submodule(self.stack).children()))

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return next(self.model.parameters()).device

    def key(self, splits: Mapping[str, PackedSplit]) -> str:
        """Return the hash of everything that the outputs for some splits depend on, 64 hexadecimal digits."""
        return _with_splits(model_key(self.model, self.names, self.precision, self.device), splits)

    def shared_key(self, depth: int, splits: Mapping[str, PackedSplit], key: str) -> tuple[str, int]:
        """Return the key under which the outputs of a depth are shared, and the largest depth that it holds for.

        Args:
            depth: Number of frozen layers.
            splits: The data.
            key: What :meth:`key` returns for them.
        """
        if self.plain is None or depth > self.plain[1]:
            return key, self.num_layers
        return _with_splits(self.plain[0], splits), self.plain[1]


def model_key(model: torch.nn.Module, names: Collection[str], precision: Precision, device: torch.device) -> str:
    """Return the hash of everything of a model that its hidden states depend on, 64 hexadecimal digits.

    Args:
        model: The model.
        names: Names of the parameters before or inside the stack.
        precision: Number format of the forward pass.
        device: The device on which it is going to run.
    """
    # A factory's model is defined in a file that may be edited between sessions.
    source = ""
    with suppress(OSError, TypeError):
        source = inspect.getsource(inspect.getmodule(type(model)) or type(model))
    # Any change of what is hashed below makes all kept files useless.
    libraries = f"{_FORMAT} {torch.__version__} {transformers.__version__} {precision}"
    # Without the index: equal devices compute the same.
    on_device = f"{device.type} {device_name(device)}"
    kind = f"{type(model).__qualname__} {_configuration(model)}"
    digest = hashlib.sha256(f"{libraries} {on_device} {kind} {source}".encode())
    for name, module in model.named_modules():
        digest.update(f"{name} {type(module).__qualname__} {_settings(module)}".encode())
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in state.items():
        if name in names or not isinstance(tensor, torch.nn.Parameter):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _with_splits(key: str, splits: Mapping[str, PackedSplit]) -> str:
    """Return the hash of a model's key and of the data."""
    digest = hashlib.sha256(key.encode())
    for name, split in splits.items():
        for column, values in sorted(split.fields.items()):
            digest.update(f"{name} {column}".encode())
            digest.update(values.numpy().tobytes())
        digest.update(split.offsets.numpy().tobytes())
        if split.task.by_word:  # for which all tokens of the last layer are kept, not only the first ones
            digest.update(b"words")
    return digest.hexdigest()


def _configuration(model: torch.nn.Module) -> str:
    """Return a model's configuration without the folder that it was loaded from."""
    config = getattr(model, "config", None)
    as_json = getattr(config, "to_json_string", None)
    if not callable(as_json):
        return str(config)
    values = json.loads(as_json(use_diff=False))
    values.pop("_name_or_path", None)
    return json.dumps(values, sort_keys=True)


def _settings(module: torch.nn.Module) -> list[tuple[str, object]]:
    """Return the plain attributes of a module, which its forward method may read: factors, sizes, flags."""
    plain = ((name, value) for name, value in vars(module).items() if isinstance(value, bool | int | float | str))
    return sorted((name, value) for name, value in plain if name not in _NO_SETTINGS)
