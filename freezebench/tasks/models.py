"""Loads a classifier and its tokenizer from what `--freeze-model` takes: safetensors only, no code from elsewhere."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from freezebench.errors import FreezebenchError, ModelError
from freezebench.tasks import hub
from freezebench.tasks.model_source import (
    ModelSource,
    check_model_source,
    model_fingerprint,
    read_depth,
    read_label_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["check_model_source", "load_model", "model_fingerprint", "read_depth", "read_label_names"]

_REASON_CHARS = 200


def load_model(
    source: str, num_labels: int = 2, *, revision: str | None = None, label_names: Sequence[str] | None = None
) -> tuple[Any, Any]:
    """Return a sequence classifier in float32 on the CPU, in evaluation mode, and its tokenizer.

    A head that the checkpoint lacks, or has for another number of labels, is new and drawn from torch's random state:
    ``torch.manual_seed`` before this call determines it, whatever else the checkpoint holds.

    Args:
        source: ``embedded``, a checkpoint folder, a Hub name, or ``module:factory``, called as ``factory(num_labels)``
            for (model, tokenizer).
        num_labels: Number of classes.
        revision: Hub commit, tag or branch.
        label_names: Name of every class, for the model's configuration.

    Raises:
        ModelError: If there is no such model, or it cannot be loaded safely and completely.
    """
    parsed = ModelSource.parse(source, revision)
    with quiet():
        if parsed.kind == "factory":
            model, tokenizer = _from_factory(parsed, num_labels)
        elif parsed.kind == "embedded":
            from freezebench.tasks.embedded import load_embedded

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

    logging: Any = transformers.utils.logging  # it comes without types
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    with ExitStack() as stack:
        stack.enter_context(hub.quiet())
        stack.callback(logging.set_verbosity, level)
        if level == logging.WARNING:  # any other level is one that somebody asked for
            logging.set_verbosity_error()
        if bars:
            stack.callback(logging.enable_progress_bar)
            logging.disable_progress_bar()
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
    except Exception as error:
        raise ModelError(
            f"cannot load the model {source.text!r}: the factory fails with {_reason(error)}. Mend the factory."
        ) from error
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], torch.nn.Module) and callable(made[1])):  # noqa: PLR2004
        raise ModelError(
            f"cannot load the model {source.text!r}: the factory returns {_kind_of(made)}. "
            "Return (model, tokenizer): a torch.nn.Module and a transformers tokenizer."
        )
    return made


def _from_folder(folder: Path, name: str, num_labels: int) -> tuple[Any, Any]:
    """Return classifier and tokenizer of a checkpoint folder that was checked.

    Raises:
        ModelError: If transformers does not know the architecture, or weights are missing or do not fit.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, num_labels=num_labels, **local)
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r}: transformers cannot read its config.json ({_reason(error)}). Choose a "
            "model of an architecture that the installed transformers has, or load it in a module:factory of yours."
        ) from error
    if type(config) not in AutoModelForSequenceClassification._model_mapping:  # noqa: SLF001 - it has no public face
        raise ModelError(
            f"cannot load the model {name!r}: transformers has no sequence classifier for {config.model_type}. Choose "
            "an encoder such as BERT, or build a classifier around this one in a module:factory of yours."
        )
    config.problem_type = "single_label_classification"
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,  # checkpoints stored in half precision train in full
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **local,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r} from {folder}: {_reason(error)}. Fetch or write the checkpoint again."
        ) from error
    _check_complete(model, report, name)
    return model, tokenizer


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
    from freezebench.tasks.layers import find_layers

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


def _kind_of(value: object) -> str:
    """Return what a value is, in words."""
    if isinstance(value, tuple):
        return "a tuple of " + (", ".join(type(item).__name__ for item in value) or "nothing")
    return f"a {type(value).__name__}"


def _reason(error: Exception) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_REASON_CHARS].rstrip('.')}"
