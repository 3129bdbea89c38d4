"""Folders that are no checkpoint but lead to one: adapters, and output folders of a training. Imports no torch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from freezebench.errors import ModelError
from freezebench.escaping import shell_word
from freezebench.models.file_checks import is_file, read_object, readable
from freezebench.models.weight_files import tensors_of
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

ADAPTER = "adapter_config.json"
_CONFIGS = ("config.json", ADAPTER)
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,18})")
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_HEAD = re.compile(r"\.(classifier|classifier\.out_proj|score|logits_proj)\.weight$")
_STATE = "trainer_state.json"
_SHOWN = 5


def refuse_without_config(folder: Path, name: str) -> NoReturn:
    """Raise the error for a folder without config.json, which says what to give instead.

    Args:
        folder: The folder.
        name: What error messages call the model.

    Raises:
        ModelError: Always.
    """
    if is_file(folder / ADAPTER):
        refuse_adapter(folder, name)
    with readable(name):
        below = sorted(
            path for path in (folder.iterdir() if folder.is_dir() else ()) if any(is_file(path / c) for c in _CONFIGS)
        )
    numbered = {int(match[1]): path for path in below if (match := _CHECKPOINT.fullmatch(path.name))}
    if numbered:
        newest = numbered[max(numbered)]
        best = _best_checkpoint((folder, newest), name)
        which = f"the best by its {_STATE}" if best else f"the newest of {len(numbered)}"
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has no config.json; it is the output folder of a training, with "
            f"checkpoints in it. Give one of them: --freeze-model={best or newest} is {which}."
        )
    if below:
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has no config.json, but folders in it have one. "
            f"Give one of them: {listed([str(path) for path in below], _SHOWN)}."
        )
    raise ModelError(
        f"cannot load the model {name!r}: {folder} has no config.json. "
        "Give the folder that save_pretrained wrote the model to."
    )


def refuse_adapter(folder: Path, name: str) -> NoReturn:
    """Raise the error for a folder with an adapter (PEFT), which says how to merge it into its model.

    Raises:
        ModelError: Always.
    """
    config = read_object(folder / ADAPTER, name)
    base = config.get("base_model_name_or_path")
    of_base = f" for {base}" if isinstance(base, str) and base else ""
    without = f", or fine-tune the model without it: --freeze-model={base}" if of_base else ""
    merged = target_folder(folder, "merged")
    raise ModelError(
        f"cannot load the model {name!r}: {folder} has an adapter ({ADAPTER}){of_base}, which freezebench does not "
        f"train. Merge it into its model once, with the package peft: `{_merge_command(folder, config, merged)}`, and "
        f"give --freeze-model={merged}{without}."
    )


def target_folder(folder: Path, suffix: str) -> str:
    """Return the folder that a command in a message writes to: in the current one, named after the model's."""
    return f"./{folder.absolute().name}-{suffix}"


def _merge_command(folder: Path, config: Mapping[str, object], merged: str) -> str:
    """Return the command that merges an adapter into its model and saves both as one checkpoint."""
    is_classifier = config.get("task_type") in {None, "SEQ_CLS"}
    kind = "AutoPeftModelForSequenceClassification" if is_classifier else "AutoPeftModelForFeatureExtraction"
    num_labels = _num_labels(folder) if is_classifier else None
    options = "" if num_labels is None else f", num_labels={num_labels}"
    source, target = json.dumps(str(folder)), json.dumps(merged)
    # An adapter trained by the Trainer has the tokenizer beside it; others have that of their model.
    has_tokenizer = is_file(folder / "tokenizer_config.json")
    tokenizer = source if has_tokenizer else json.dumps(str(config.get("base_model_name_or_path")))
    code = (
        f"from peft import {kind} as M; from transformers import AutoTokenizer as T; "
        f"M.from_pretrained({source}{options}).merge_and_unload().save_pretrained({target}); "
        f"T.from_pretrained({tokenizer}).save_pretrained({target})"
    )
    return f"python -c {shell_word(code)}"


def _num_labels(folder: Path) -> int | None:
    """Return the number of classes of the head beside an adapter; ``None`` if there is none."""
    if not is_file(folder / _ADAPTER_WEIGHTS):
        return None
    try:
        tensors = tensors_of(folder / _ADAPTER_WEIGHTS, str(folder))
    except ModelError:
        return None  # it only completes a command
    return next((tensor.shape[0] for key, tensor in tensors.items() if _HEAD.search(key) and tensor.shape), None)


def _best_checkpoint(folders: tuple[Path, ...], name: str) -> Path | None:
    """Return the checkpoint that a Trainer's state calls the best one, if it still exists; else ``None``."""
    for folder in folders:
        if not is_file(folder / _STATE):
            continue
        try:
            best = read_object(folder / _STATE, name).get("best_model_checkpoint")
        except ModelError:
            continue  # it only helps to choose
        # The path was that of another time or machine; the folder's name stays.
        path = folders[0] / Path(best.replace("\\", "/")).name if isinstance(best, str) else None
        if path is not None and _CHECKPOINT.fullmatch(path.name) and any(is_file(path / c) for c in _CONFIGS):
            return path
    return None
