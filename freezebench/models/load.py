"""Load a classifier and its tokenizer: from safetensors only, and without running a checkpoint's own code."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, cast

from freezebench import hub
from freezebench.errors import FreezebenchError, ModelError, one_line
from freezebench.import_path import modules_of_tests
from freezebench.models.completeness import check_complete, check_sizes
from freezebench.models.layers import word_embedding
from freezebench.models.source import ModelSource
from freezebench.models.task_heads import HEADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from freezebench.specs.names import TaskName

    Classifier = tuple[torch.nn.Module, PreTrainedTokenizerBase]


class _LocalOnly(TypedDict):
    """Arguments of ``from_pretrained`` that keep it off the network and from running a checkpoint's code."""

    local_files_only: bool
    trust_remote_code: bool


_LOCAL_ONLY = _LocalOnly(local_files_only=True, trust_remote_code=False)


def load_model(
    source: str | ModelSource,
    num_labels: int = 2,
    *,
    revision: str | None = None,
    label_names: Sequence[str] | None = None,
    seed: int = 0,
    task: TaskName = "sequence-classification",
) -> Classifier:
    """Return a model with the head of a task in float32 on the CPU, in evaluation mode, and its tokenizer.

    A head that the checkpoint lacks, or has for another task or number of labels, is initialised from torch's random
    state. ``torch.manual_seed`` before this call determines it, and every call draws equally many random numbers. The
    model's attribute ``new_parameters`` lists the names of what was initialised; a factory's model has none.

    Args:
        source: ``embedded``, a checkpoint folder, a Hub name, ``module:factory``, or a resolved source. A factory is
            called as ``factory(num_labels)``, with ``seed=seed`` and ``task=task`` if it has parameters of these names,
            and returns (model, tokenizer); both are used as they are, except that weights in half precision become
            float32.
        num_labels: Number of classes or labels, or 1 in regression.
        revision: Hub commit, tag or branch, for a Hub name.
        label_names: Name of every class or label, for the model's configuration.
        seed: For a factory with a parameter of this name.
        task: What the model is to learn.

    Raises:
        ModelError: If there is no such model, or it cannot be loaded safely and completely.
    """
    if isinstance(source, str):
        source = ModelSource.resolve(source, revision)
    head = HEADS[task]
    if not head.fits(num_labels) or (label_names is not None and len(label_names) != num_labels):
        names = "" if label_names is None else f" and {len(label_names)} names for them"
        raise ModelError(
            f"cannot load the model {source.name!r} for {num_labels} classes{names}: {head.outputs_text}, each with "
            "one name. Check the labels of the data."
        )
    with quiet():
        if source.kind == "factory":
            model, tokenizer = _from_factory(source, num_labels, {"seed": seed, "task": task})
        elif source.kind == "embedded":
            from freezebench.models.embedded import load_embedded

            model, tokenizer = load_embedded(source.folder, num_labels, task)
        else:
            model, tokenizer = _from_folder(source, num_labels, task)
    # A factory's model may have no configuration.
    config = getattr(model, "config", None)
    if label_names is not None and config is not None:
        config.id2label = dict(enumerate(label_names))
        config.label2id = {label: number for number, label in enumerate(label_names)}
    return model, tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Turn off progress bars and loading reports of `transformers` in a block; errors are still shown."""
    import transformers.utils.logging

    log: Any = transformers.utils.logging  # the module has no type annotations
    level = log.get_verbosity()
    with ExitStack() as stack:
        stack.enter_context(hub.quiet())
        if level == log.WARNING:  # any other level was set on purpose
            log.set_verbosity_error()
            stack.callback(log.set_verbosity, level)
        stack.enter_context(
            hub.progress_bars_off(
                is_on=log.is_progress_bar_enabled(), disable=log.disable_progress_bar, enable=log.enable_progress_bar
            )
        )
        yield


def _from_factory(source: ModelSource, num_labels: int, arguments: dict[str, object]) -> Classifier:
    """Return the model and tokenizer that a factory makes, called with the arguments that it takes.

    Raises:
        ModelError: If the factory fails or returns something else.
    """
    import torch

    factory = source.factory
    taken = {name: value for name, value in arguments.items() if name in source.factory_parameters}
    try:
        with modules_of_tests():
            made = factory(num_labels, **taken)
    except FreezebenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"cannot load the model {source.name!r}: the factory fails with {_reason(error)}. Correct the factory."
        ) from error
    match made:
        case (torch.nn.Module() as model, tokenizer) if callable(tokenizer):
            _to_float32(model)
            # Any callable may tokenize: a tokenizer that lacks something is refused by the preflight check.
            return model.eval(), cast("PreTrainedTokenizerBase", tokenizer)
    raise ModelError(
        f"cannot load the model {source.name!r}: the factory returns {_type_name(made)}. "
        "Return (model, tokenizer): a torch.nn.Module and a transformers tokenizer."
    )


def _to_float32(model: torch.nn.Module) -> None:
    """Convert weights in half precision to float32, in place: half precision would lose small updates."""
    import torch

    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype in {torch.bfloat16, torch.float16}:
            tensor.data = tensor.data.float()


def _from_folder(source: ModelSource, num_labels: int, task: TaskName) -> Classifier:
    """Return the model and tokenizer of a checkpoint folder.

    Raises:
        ModelError: If transformers lacks the architecture, or weights are missing or do not fit.
    """
    import torch
    import transformers

    name, folder = source.name, source.folder
    auto: Any = getattr(transformers, HEADS[task].auto_class)  # it has no type annotations
    config = _config(folder, name, num_labels, source.config.get("model_type"), task)
    check_sizes(config, folder, name, auto.from_config)
    try:
        model, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,  # also for checkpoints stored in half precision
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # a head for another number of classes; check_complete refuses the rest
            output_loading_info=True,
            **_LOCAL_ONLY,
        )
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r} from {folder}: {_reason(error)}. Fetch or write the checkpoint again."
        ) from error
    tokenizer = _tokenizer(folder, name, of_words=task == "token-classification")
    if source.task not in {None, task}:
        report["missing_keys"] |= _replace_head(model, auto.from_config(config))
    check_complete(model, report, name)
    _check_tokenizer(model, tokenizer, name)
    return model, tokenizer


def _replace_head(model: PreTrainedModel, fresh: PreTrainedModel) -> set[str]:
    """Give a model the head of another one, and return the names of its parameters.

    Heads of two tasks may have parameters of one name and shape: a checkpoint's head of another task would be taken.
    """
    import torch

    names = {name for name, _ in model.named_parameters() if not name.startswith(f"{model.base_model_prefix}.")}
    with torch.no_grad():
        for name in names:
            model.get_parameter(name).copy_(fresh.get_parameter(name))
    return names


def _config(folder: Path, name: str, num_labels: int, kind: object, task: TaskName) -> PretrainedConfig:
    """Return the configuration of a model of a kind (``model_type``) for a task.

    Raises:
        ModelError: If transformers has no such architecture, or none with the head of the task.
    """
    import transformers
    from transformers import CONFIG_MAPPING, AutoConfig

    if kind not in CONFIG_MAPPING:
        raise ModelError(
            f"cannot load the model {name!r}: transformers {transformers.__version__} has no architecture {kind!r}. "
            "Choose a model that it has, install a newer one, or load this one in a module:factory of yours."
        )
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(folder, num_labels=num_labels, **_LOCAL_ONLY)
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r}: transformers cannot use its config.json: {_reason(error)}. "
            "Write it again."
        ) from error
    head = HEADS[task]
    if type(config) not in getattr(transformers, head.auto_class)._model_mapping:  # noqa: SLF001 - there is no public way to ask
        unit = "token" if task == "token-classification" else "sequence"
        raise ModelError(
            f"cannot load the model {name!r}: transformers has no {unit} classifier of architecture {kind!r}. "
            "Choose an encoder such as BERT, or build a classifier around this one in a module:factory of yours."
        )
    # A checkpoint that was fine-tuned for something else would bring its own loss.
    config.problem_type = head.problem_type
    return config


def _tokenizer(folder: Path, name: str, *, of_words: bool = False) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a checkpoint folder.

    Args:
        folder: The folder.
        name: The model's name in error messages.
        of_words: Whether it gets sentences that are divided into words.

    Raises:
        ModelError: If it cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, **_LOCAL_ONLY)
        if of_words and getattr(tokenizer, "add_prefix_space", None) is False:
            # Tokenizers of bytes (RoBERTa, ModernBERT) would take words that come one by one for parts of one word.
            tokenizer = AutoTokenizer.from_pretrained(folder, add_prefix_space=True, **_LOCAL_ONLY)
            of_bytes: Any = getattr(getattr(tokenizer, "backend_tokenizer", None), "pre_tokenizer", None)
            if getattr(of_bytes, "add_prefix_space", None) is False:  # the argument does not reach all of them
                of_bytes.add_prefix_space = True
    except Exception as error:
        raise ModelError(
            f"cannot load the tokenizer of the model {name!r} from {folder}: {_reason(error)}. Install what it "
            "requires, or write it again: AutoTokenizer.from_pretrained(ORIGINAL).save_pretrained(FOLDER)."
        ) from error
    return tokenizer


def _check_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Check that the tokenizer can pad, and that the ids of its own vocabulary are rows of the model's embeddings.

    Decoders have no padding token. Their end token pads instead, masked by the attention mask.

    Raises:
        ModelError: If the tokenizer belongs to another model, or has no token to pad with.
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
    rows = getattr(word_embedding(model), "num_embeddings", None)
    if rows is None:
        return
    if tokenizer.vocab_size > rows:
        raise ModelError(
            f"cannot load the model {name!r}: its tokenizer gives ids up to {tokenizer.vocab_size - 1}, but its "
            f"embeddings have {rows} rows. Give the tokenizer that belongs to the model."
        )
    # Tokens that were added count only where a text holds them; this one is in every padded batch.
    if tokenizer.pad_token_id >= rows:
        raise ModelError(
            f"cannot load the model {name!r}: its tokenizer pads with {tokenizer.pad_token!r} (id "
            f"{tokenizer.pad_token_id}), but its embeddings have {rows} rows. Resize them and save the model again: "
            "model.resize_token_embeddings(len(tokenizer))."
        )


def _type_name(value: object) -> str:
    if isinstance(value, tuple):
        return "a tuple of " + (", ".join(type(item).__name__ for item in value) or "nothing")
    return f"a {type(value).__name__}"


def _reason(error: BaseException) -> str:
    """Return the class and the message of an error."""
    return f"{type(error).__name__}: {one_line(error)}"
