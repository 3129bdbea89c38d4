"""Loads a classifier and its tokenizer from what `--freeze-model` takes: safetensors only, no code from elsewhere."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from freezebench import hub
from freezebench.errors import FreezebenchError, ModelError
from freezebench.models import files as model_files
from freezebench.models.source import (
    ModelSource,
    check_model_source,
    model_fingerprint,
    read_depth,
    read_label_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import torch

__all__ = ["check_model_source", "load_model", "model_fingerprint", "read_depth", "read_label_names"]

_FROM_HERE = {"local_files_only": True, "trust_remote_code": False}
_LEAST_CLASSES = 2
_REASON_CHARS = 200


def load_model(
    source: str, num_labels: int = 2, *, revision: str | None = None, label_names: Sequence[str] | None = None
) -> tuple[Any, Any]:
    """Return a sequence classifier in float32 on the CPU, in evaluation mode, and its tokenizer.

    A head that the checkpoint lacks, or has for another number of labels, is new and drawn from torch's random state:
    ``torch.manual_seed`` before this call determines it, and every call draws the same amount.

    Args:
        source: ``embedded``, a checkpoint folder, a Hub name, or ``module:factory``, called as ``factory(num_labels)``
            for (model, tokenizer), which are returned as they are made, weights in half precision as float32.
        num_labels: Number of classes.
        revision: Hub commit, tag or branch.
        label_names: Name of every class, for the model's configuration.

    Raises:
        ModelError: If there is no such model, or it cannot be loaded safely and completely.
    """
    if num_labels < _LEAST_CLASSES or (label_names is not None and len(label_names) != num_labels):
        names = "" if label_names is None else f" and {len(label_names)} names for them"
        raise ModelError(
            f"cannot load the model {source!r} for {num_labels} classes{names}: a classifier tells two or more apart, "
            "each with one name. Look at the labels of the data."
        )
    parsed = ModelSource.parse(source, revision)
    with quiet():
        if parsed.kind == "factory":
            model, tokenizer = _from_factory(parsed, num_labels)
        elif parsed.kind == "embedded":
            from freezebench.models.embedded import load_embedded

            model, tokenizer = load_embedded(num_labels)
        else:
            model, tokenizer = _from_folder(parsed.folder(), source, num_labels)
    if label_names is not None and hasattr(model, "config"):
        model.config.id2label = dict(enumerate(label_names))
        model.config.label2id = {label: number for number, label in enumerate(label_names)}
    return model, tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Turn progress bars and loading reports of `transformers` off for a while; errors are still shown."""
    import transformers.utils.logging

    log: Any = transformers.utils.logging  # it comes without types

    def switch(change: Callable[[], None]) -> None:
        with warnings.catch_warnings(action="ignore"):  # an environment variable may forbid it
            change()

    level = log.get_verbosity()
    with ExitStack() as stack:
        stack.enter_context(hub.quiet())
        if level == log.WARNING:  # any other level is one that somebody asked for
            log.set_verbosity_error()
            stack.callback(log.set_verbosity, level)
        if log.is_progress_bar_enabled():
            switch(log.disable_progress_bar)
            stack.callback(switch, log.enable_progress_bar)
        yield


def _from_factory(source: ModelSource, num_labels: int) -> tuple[Any, Any]:
    """Return what a factory makes.

    Raises:
        ModelError: If it fails, or makes something else.
    """
    import torch

    factory = source.factory()
    try:
        made = factory(num_labels)
    except FreezebenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"cannot load the model {source.text!r}: the factory fails with {_reason(error)}. Mend the factory."
        ) from error
    match made:
        case (torch.nn.Module() as model, tokenizer) if callable(tokenizer):
            _to_full(model)
            return model.eval(), tokenizer
    raise ModelError(
        f"cannot load the model {source.text!r}: the factory returns {_in_words(made)}. "
        "Return (model, tokenizer): a torch.nn.Module and a transformers tokenizer."
    )


def _to_full(model: torch.nn.Module) -> None:
    """Make weights in half precision float32, in place, as those of checkpoints are: small updates would be lost."""
    import torch

    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype in {torch.bfloat16, torch.float16}:
            tensor.data = tensor.data.float()


def _from_folder(folder: Path, name: str, num_labels: int) -> tuple[Any, Any]:
    """Return classifier and tokenizer of a checkpoint folder whose files were checked.

    Raises:
        ModelError: If transformers does not know the architecture, or weights are missing or do not fit.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    config = _config(folder, name, num_labels)
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,  # checkpoints stored in half precision train in full
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **_FROM_HERE,
        )
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r} from {folder}: {_reason(error)}. Fetch or write the checkpoint again."
        ) from error
    tokenizer = _tokenizer(folder, name)
    _check_complete(model, report, name)
    _check_tokenizer(model, tokenizer, name)
    return model, tokenizer


def _config(folder: Path, name: str, num_labels: int) -> Any:
    """Return the configuration of a classifier.

    Raises:
        ModelError: If transformers has no such architecture, or no classifier of it.
    """
    import transformers
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForSequenceClassification

    kind = model_files.read_config(folder, name)["model_type"]
    if kind not in CONFIG_MAPPING:
        raise ModelError(
            f"cannot load the model {name!r}: transformers {transformers.__version__} has no architecture {kind!r}. "
            "Choose a model that it has, install a newer one, or load this one in a module:factory of yours."
        )
    try:
        config = AutoConfig.from_pretrained(folder, num_labels=num_labels, **_FROM_HERE)
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r}: transformers cannot use its config.json: {_reason(error)}. Write it anew."
        ) from error
    if type(config) not in AutoModelForSequenceClassification._model_mapping:  # noqa: SLF001 - it has no public face
        raise ModelError(
            f"cannot load the model {name!r}: transformers has no sequence classifier of architecture {kind!r}. "
            "Choose an encoder such as BERT, or build a classifier around this one in a module:factory of yours."
        )
    # A checkpoint that was fine-tuned for something else would bring its own loss.
    config.problem_type = "single_label_classification"
    return config


def _tokenizer(folder: Path, name: str) -> Any:
    """Return the tokenizer of a checkpoint folder.

    Raises:
        ModelError: If it cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, **_FROM_HERE)
    except Exception as error:
        raise ModelError(
            f"cannot load the tokenizer of the model {name!r} from {folder}: {_reason(error)}. Install what it asks "
            "for, or write it anew: AutoTokenizer.from_pretrained(ORIGINAL).save_pretrained(FOLDER)."
        ) from error


def _check_complete(model: Any, report: dict[str, Any], name: str) -> None:
    """Make sure that whatever the checkpoint did not bring belongs to the head.

    Args:
        model: The model as it was loaded.
        report: Loading report of transformers.
        name: What error messages call the model.

    Raises:
        ModelError: If an embedding or a layer would start from random numbers.
    """
    mismatched = {key: (tuple(stored), tuple(wanted)) for key, stored, wanted in report["mismatched_keys"]}
    fresh = {*report["missing_keys"], *mismatched}
    if all(not key.startswith(f"{model.base_model_prefix}.") for key in fresh):
        return
    from freezebench.models.layers import find_layers

    # Poolers stand in the base model, but pretraining leaves many of them out.
    lost = sorted(fresh - set(find_layers(model).head))
    if not lost:
        return
    if lost[0] in mismatched:
        stored, wanted = mismatched[lost[0]]
        raise ModelError(
            f"cannot load the model {name!r}: {lost[0]} has shape {stored} in its weights, but {wanted} by its "
            "config.json. Give the configuration that belongs to the weights."
        )
    raise ModelError(
        f"cannot load the model {name!r}: its weights lack {len(lost)} parameters of the encoder, such as {lost[0]}. "
        "Give a checkpoint of this architecture."
    )


def _check_tokenizer(model: Any, tokenizer: Any, name: str) -> None:
    """Make sure that the tokenizer's ids are rows of the model's embeddings, and that there is one to pad with.

    Decoders have no padding token of their own; their end token serves, hidden by the attention mask.

    Raises:
        ModelError: If the tokenizer belongs to another model, or nothing can pad.
    """
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ModelError(
                f"cannot load the model {name!r}: its tokenizer has neither padding nor end token. "
                "Set one and save the tokenizer again."
            )
        tokenizer.pad_token = tokenizer.eos_token
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    rows = getattr(getattr(model, "get_input_embeddings", lambda: None)(), "num_embeddings", None)
    special = (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    largest = max(tokenizer.vocab_size - 1, *(token for token in special if token is not None))
    if rows is not None and largest >= rows:
        raise ModelError(
            f"cannot load the model {name!r}: its tokenizer gives ids up to {largest}, but its embeddings have {rows} "
            "rows. Give the tokenizer that belongs to the model."
        )


def _in_words(value: object) -> str:
    """Return what a value is."""
    if isinstance(value, tuple):
        return "a tuple of " + (", ".join(type(item).__name__ for item in value) or "nothing")
    return f"a {type(value).__name__}"


def _reason(error: BaseException) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_REASON_CHARS].rstrip('.')}"
