"""The model of a run as a folder that ``from_pretrained`` loads: weights, configuration and tokenizer."""

from __future__ import annotations

import inspect
import json
import shutil
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, ModelError, one_line
from freezebench.escaping import json_text
from freezebench.models.load import quiet
from freezebench.models.weight_files import weight_files
from freezebench.records.files import usual_modes, write_whole
from freezebench.units import bytes_text

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.models.source import ModelSource
    from freezebench.strategies.base import SaveAdded

_TOKENIZER_CONFIG = "tokenizer_config.json"
# How freezebench loaded the tokenizer, which is no property of it.
_LOADING_KEYS = ("local_files_only", "trust_remote_code")


def check_savable(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Check that a model and its tokenizer can be saved; only those of a factory may lack what that takes.

    Raises:
        ModelError: If one of them has no ``save_pretrained``.
    """
    for part, value in (("model", model), ("tokenizer", tokenizer)):
        if not callable(getattr(value, "save_pretrained", None)):
            raise ModelError(
                f"cannot save {name}: its {part}, a {type(value).__name__}, has no method save_pretrained. Return one "
                "of transformers from the factory, or leave --freeze-save out."
            )


def save_model(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    source: ModelSource,
    max_length: int,
    save: SaveAdded | None = None,
) -> None:
    """Write a model and its tokenizer to a folder, in which ``from_pretrained`` finds all that a prediction needs.

    The saved tokenizer truncates to the length with which the model was trained, and returns only what the model takes,
    so that ``model(**tokenizer(texts, truncation=True, padding=True, return_tensors="pt"))`` predicts as the run did.

    Args:
        model: The model; its weights are written as safetensors.
        tokenizer: Its tokenizer.
        folder: An existing, empty folder.
        source: Where the pretrained model is from.
        max_length: Number of tokens to which inputs were cut.
        save: Writes what a strategy has added to the model, in place of the whole model.

    Raises:
        FreezebenchError: If it cannot be saved, or not completely.
    """
    name = source.name
    check_savable(model, tokenizer, name)
    tensors = (
        model.state_dict().values() if save is None else [part for part in model.parameters() if part.requires_grad]
    )
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < num_bytes:
        raise FreezebenchError(
            f"cannot save {name}: its weights take {bytes_text(num_bytes)}, and {bytes_text(free_bytes)} are free in "
            f"{folder.parent}. Free space, or name another folder with --freeze-save."
        )
    try:
        with quiet():
            if save is None:
                model.save_pretrained(folder)  # type: ignore[operator]  # check_savable has found it
                weight_files(folder, name)
            else:
                save(folder, *_loadable_from(source))
            tokenizer.save_pretrained(folder)
        _adapt_tokenizer(folder / _TOKENIZER_CONFIG, model, tokenizer, max_length)
        file_mode, folder_mode = usual_modes(folder)
        for path in folder.rglob("*"):
            path.chmod(folder_mode if path.is_dir() else file_mode)  # safetensors lets nobody but the owner read
    except Exception as error:  # a model's own code may raise anything
        raise FreezebenchError(
            f"cannot save {name}: {type(error).__name__}: {one_line(error)}. Remove the cause, or leave "
            "--freeze-save out."
        ) from error


def _loadable_from(source: ModelSource) -> tuple[str | None, str | None]:
    """Return name and revision from which transformers loads a pretrained model.

    Without a name are a factory's model and the embedded checkpoint, which transformers would load as a BERT.
    """
    match source.kind:
        case "hub":
            return source.name, source.revision
        case "folder":
            return str(source.folder.resolve()), None
        case "embedded" | "factory":
            return None, None


def _adapt_tokenizer(path: Path, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    """Write into a tokenizer's configuration what training passed with every call: length and fields."""
    if not path.is_file():  # a class of the factory's own, with files of its own
        return
    config = json.loads(path.read_text(encoding="utf-8"))
    fields = list(getattr(tokenizer, "model_input_names", ()))
    # The class's method: an engine may have wrapped the model's own.
    parameters = inspect.signature(type(model).forward).parameters
    # As ``batches.encoding.encode`` selects them: a BERT tokenizer offers token types, which DistilBERT refuses.
    taken = [name for name in fields if name in parameters] or fields
    config |= {"model_max_length": max_length} | ({"model_input_names": taken} if taken else {})
    for key in _LOADING_KEYS:
        config.pop(key, None)
    write_whole(path, json_text(config, indent=2) + "\n")
