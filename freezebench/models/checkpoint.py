"""Read and check the files of a checkpoint folder: configuration, weights, tokenizer. Imports no torch."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.models.file_checks import is_file, read_object, readable
from freezebench.models.other_folders import ADAPTER, refuse_adapter, refuse_without_config
from freezebench.models.task_heads import check_task, has_label_names
from freezebench.models.weight_files import stored_tensors, weight_files

if TYPE_CHECKING:
    from pathlib import Path

# The content of a config.json. Its values are checked where they are read.
Config = Mapping[str, object]

CONFIG = "config.json"
# Each of these files holds a vocabulary. Without any, transformers silently builds a tokenizer without words.
_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
    "sentencepiece.model",
    "bpe.codes",
    "dict.txt",
    "tekken.json",
)
# Character models have a tokenizer without vocabulary.
_WITHOUT_VOCABULARY = {"canine", "byt5", "perceiver"}
_DEPTH_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
# Far beyond published models, and a ladder of as many configurations can still be listed.
_MAX_LAYERS = 1000
_REMOTE_CODE = (
    "AutoConfig",
    "AutoModel",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
)
# Weights in formats that are never loaded, and texts for people.
_NEVER_READ = {
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".h5",
    ".msgpack",
    ".onnx",
    ".ot",
    ".gguf",
    ".md",
    ".log",
    ".lock",
}


def read_config(folder: Path, name: str) -> Config:
    """Return the content of a checkpoint folder's config.json.

    Args:
        folder: The folder.
        name: What error messages call the model.

    Raises:
        ModelError: If there is none, or it is not a JSON object.
    """
    with readable(name):
        try:
            (folder / CONFIG).stat()
        except (FileNotFoundError, NotADirectoryError):
            refuse_without_config(folder, name)
    return read_object(folder / CONFIG, name)


def depth_of(config: Config, name: str) -> int:
    """Return the number of layers that a model configuration gives.

    Raises:
        ModelError: If there is no such number, or it is not a positive whole number.
    """
    text_config = config.get("text_config")  # models of text and images keep the depth there
    for key, section in itertools.product(_DEPTH_KEYS, (config, text_config)):
        if isinstance(section, dict) and key in section:
            depth = section[key]
            if isinstance(depth, int) and not isinstance(depth, bool) and 0 < depth <= _MAX_LAYERS:
                return depth
            raise ModelError(
                f"cannot read the depth of {name!r}: {key} in its config.json is {repr(depth)[:40]}. Write a number of "
                f"layers from 1 to {_MAX_LAYERS}."
            )
    raise ModelError(
        f"cannot read the depth of {name!r}: its config.json has none of {', '.join(_DEPTH_KEYS)}. "
        "Give it with num_layers in the freeze marker."
    )


def label_names_of(config: Config) -> tuple[str, ...] | None:
    """Return the names of a fine-tuned model's classes or labels by number.

    ``None`` if all are generated (``LABEL_0``), or if the weights have no head that tells classes apart.
    """
    id2label = config.get("id2label") if has_label_names(config) else None
    if not isinstance(id2label, dict) or set(id2label) != {str(number) for number in range(len(id2label))}:
        return None
    names = tuple(str(id2label[str(number)]) for number in range(len(id2label)))
    return None if all(name.upper().startswith("LABEL_") for name in names) else names


def check_folder(folder: Path, name: str) -> None:
    """Check that a checkpoint folder has all files that loading needs.

    Raises:
        ModelError: If configuration, weights or tokenizer are missing, damaged, or of a kind that is never loaded.
    """
    config = read_config(folder, name)
    if is_file(folder / ADAPTER):
        refuse_adapter(folder, name)
    remote = config.get("auto_map")
    if isinstance(remote, dict) and any(key in remote for key in _REMOTE_CODE):
        raise ModelError(
            f"cannot load the model {name!r}: its config.json requires Python code of its own (auto_map), which "
            "freezebench never runs. Choose a model of an architecture that transformers has, or load this one in a "
            "module:factory of yours."
        )
    if not isinstance(config.get("model_type"), str):
        raise ModelError(
            f"cannot load the model {name!r}: its config.json names no model_type. "
            "Write it again with save_pretrained, or load the model in a module:factory of yours."
        )
    if "quantization_config" in config:
        raise ModelError(
            f"cannot load the model {name!r}: its weights are quantized and cannot be fine-tuned. "
            "Choose the checkpoint that it was made from."
        )
    check_task(config, folder, name)
    stored_tensors(folder, name)
    if config["model_type"] not in _WITHOUT_VOCABULARY and not any(is_file(folder / file) for file in _VOCABULARIES):
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has no tokenizer (tokenizer.json, vocab.txt or the like). "
            "Write one there: AutoTokenizer.from_pretrained(ORIGINAL).save_pretrained(FOLDER)."
        )


def is_complete(folder: Path, name: str) -> bool:
    """Return whether a checkpoint folder has all files that loading needs."""
    try:
        check_folder(folder, name)
    except ModelError:
        return False
    return True


@dataclass(frozen=True)
class FileHashes:
    """The SHA-256 of every file of a checkpoint that loading may read.

    Attributes:
        weights: Hashes of the files of its weights, by name, in the order of the index.
        others: Hashes of configuration, tokenizer and what else may be read, by name.
    """

    weights: Mapping[str, str]
    others: Mapping[str, str]

    @property
    def weights_sha256(self) -> str:
        """The SHA-256 of the weights; of several files, the SHA-256 of their hashes and names in order."""
        if len(self.weights) == 1:
            return next(iter(self.weights.values()))
        # The lines are those that sha256sum prints.
        lines = "".join(f"{digest}  {name}\n" for name, digest in self.weights.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def files_sha256(self) -> str:
        """The SHA-256 of the other files: of their names and hashes in order."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.others.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def differing(self, other: FileHashes) -> list[str]:
        """Return the names of the files that the two do not share or whose content differs."""
        before, after = {**self.weights, **self.others}, {**other.weights, **other.others}
        return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def file_hashes(folder: Path, name: str) -> FileHashes:
    """Return the hashes of the files of a checkpoint folder.

    Raises:
        ModelError: If there are no weights, or a file cannot be read.
    """
    weights = {path.name: path for path in weight_files(folder, name)}
    with readable(name):
        files = {path.name: path for path in folder.iterdir() if is_file(path) and _may_be_read(path)}
        return FileHashes(
            weights={file: file_sha256(path) for file, path in weights.items()},
            others={file: file_sha256(path) for file, path in files.items() if file not in weights},
        )


def _may_be_read(path: Path) -> bool:
    """Return whether loading may read a file: what is unknown counts, since tokenizers have files of many names."""
    return path.suffix.lower() not in _NEVER_READ and not path.name.startswith(".")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
