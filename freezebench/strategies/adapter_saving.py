"""Save adapters and head in PEFT's format, in which ``PeftModel.from_pretrained(base, folder)`` finds them."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.models.naming import model_name

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import torch
    from peft import IA3Config, LoraConfig


def save_adapters(
    folder: Path,
    base_model: str | None,
    revision: str | None,
    *,
    model: torch.nn.Module,
    config: LoraConfig | IA3Config,
    head: Collection[str],
) -> None:
    """Write a model's adapters and its head to a folder.

    Args:
        folder: An existing folder.
        base_model: Name or folder from which transformers loads the model without adapters; ``None`` if it cannot.
        revision: Its revision on the Hub.
        model: The model with its adapters.
        config: Their configuration.
        head: Names of the head's parameters.

    Raises:
        ModelError: If PEFT could not load the head as it is.
    """
    from peft import get_peft_model_state_dict
    from peft.utils import SAFETENSORS_WEIGHTS_NAME
    from safetensors.torch import save_file

    modules = _head_modules(model, head)
    saved = copy(config)
    saved.base_model_name_or_path, saved.revision = base_model, revision
    saved.modules_to_save = modules
    saved.inference_mode = True
    # Without embeddings, which are frozen; PEFT would look on the Hub whether there are more of them than there were.
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    own = model.state_dict()
    state |= {name: own[name] for name in own if any(name.startswith(f"{path}.") for path in modules)}
    # The path of the model inside a PeftModel.
    tensors = {f"base_model.model.{name}": tensor.detach().contiguous().cpu() for name, tensor in state.items()}
    save_file(tensors, folder / SAFETENSORS_WEIGHTS_NAME, metadata={"format": "pt"})
    saved.save_pretrained(str(folder))


def _head_modules(model: torch.nn.Module, head: Collection[str]) -> list[str]:
    """Return the paths of the modules that have the head's parameters.

    They are the smallest ones: PEFT does not merge (IA)³ into a model of whose head it has saved a module without a
    weight of its own.

    Raises:
        ModelError: If a parameter is in none of them, or PEFT would take other modules for them.
    """
    names = frozenset(head)
    paths: list[str] = []
    for path, module in model.named_modules():
        has_own = any(True for _ in module.parameters(recurse=False))
        all_names = {f"{path}.{name}" for name, _ in module.named_parameters()}
        if has_own and names.issuperset(all_names) and not any(path.startswith(f"{other}.") for other in paths):
            paths.append(path)
    bare = sorted(name for name in names if not any(name.startswith(f"{path}.") for path in paths))
    if bare:
        raise ModelError(
            f"cannot save {model_name(model)} with adapters: {bare[0]} of its head is in no module of its own, and "
            "PEFT saves modules. Put the parameter into a module, or choose a configuration without adapters."
        )
    inside = tuple(f"{path}." for path in paths)
    wrong = [
        path
        for path, _ in model.named_modules()
        if path.endswith(tuple(paths)) and path not in paths and not path.startswith(inside)
    ]
    if wrong:
        raise ModelError(
            f"cannot save {model_name(model)} with adapters: PEFT finds its head by the end of module paths, and "
            f"{wrong[0]} ends as one of {', '.join(paths)} does. Rename the module, or choose a configuration without "
            "adapters."
        )
    return paths
