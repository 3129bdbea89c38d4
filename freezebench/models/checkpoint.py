"""Read and check the files of a checkpoint folder: configuration, weights, tokenizer. Imports no torch."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

# The content of a config.json. Its values are checked where they are read.
Config = Mapping[str, object]

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

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
# Weights in these files are never loaded; they are listed to explain what is wrong.
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin", "model.pt", "model.pth")
_FOREIGN = ("tf_model.h5", "flax_model.msgpack", "model.onnx")
_DEPTH_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
_REMOTE_CODE = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification")
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
# A safetensors file begins with the length of its JSON header in this many bytes, little-endian.
_LENGTH_BYTES = 8
_LFS_POINTER = b"version https://git-lfs"


def read_config(folder: Path, name: str) -> Config:
    """Return the content of a checkpoint folder's config.json.

    Args:
        folder: The folder.
        name: What error messages call the model.

    Raises:
        ModelError: If there is none, or it is not a JSON object.
    """
    path = folder / "config.json"
    try:
        config: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has no config.json. "
            "Give the folder that save_pretrained wrote the model to."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load the model {name!r}: {path} cannot be read: {error}. Write it again.") from error
    if not isinstance(config, dict):
        raise ModelError(f"cannot load the model {name!r}: {path} holds no JSON object. Write it again.")
    return config


def depth_of(config: Config, name: str) -> int:
    """Return the number of layers that a model configuration gives.

    Raises:
        ModelError: If there is no such number, or it is not a positive whole number.
    """
    text_config = config.get("text_config")  # models of text and images keep the depth there
    for key, section in itertools.product(_DEPTH_KEYS, (config, text_config)):
        if isinstance(section, dict) and key in section:
            depth = section[key]
            if isinstance(depth, int) and not isinstance(depth, bool) and depth > 0:
                return depth
            raise ModelError(
                f"cannot read the depth of {name!r}: {key} in its config.json is {depth!r}. Write a number of layers."
            )
    raise ModelError(
        f"cannot read the depth of {name!r}: its config.json has none of {', '.join(_DEPTH_KEYS)}. "
        "Give it with num_layers in the freeze marker."
    )


def label_names_of(config: Config) -> tuple[str, ...] | None:
    """Return the class names of a model configuration by class number; ``None`` if all are generated (``LABEL_0``)."""
    id2label = config.get("id2label")
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
    remote = config.get("auto_map")
    if isinstance(remote, dict) and any(key in remote for key in _REMOTE_CODE):
        raise ModelError(
            f"cannot load the model {name!r}: its config.json requires Python code of its own (auto_map), which "
            "freezebench never runs. Choose a model of an architecture that transformers has, or load this one in a "
            "module:factory of yours."
        )
    if "model_type" not in config:
        raise ModelError(
            f"cannot load the model {name!r}: its config.json names no model_type. "
            "Write it again with save_pretrained, or load the model in a module:factory of yours."
        )
    if "quantization_config" in config:
        raise ModelError(
            f"cannot load the model {name!r}: its weights are quantized and cannot be fine-tuned. "
            "Choose the checkpoint that it was made from."
        )
    for path in weight_files(folder, name):
        _check_weights(path, name)
    if config["model_type"] not in _WITHOUT_VOCABULARY and not any((folder / file).is_file() for file in _VOCABULARIES):
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


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the safetensors files of a checkpoint's weights.

    Raises:
        ModelError: If there are none, or a file that the index lists is missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / WEIGHTS_INDEX
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"cannot load the model {name!r}: {index} cannot be read. Fetch it again.") from error
        missing = [shard for shard in shards if not (folder / shard).is_file()]
        if missing or not shards:
            raise ModelError(
                f"cannot load the model {name!r}: {len(missing)} of the {len(shards)} weight files that its index "
                f"names are missing ({', '.join(missing[:1])}). Fetch them again."
            )
        return [folder / shard for shard in shards]
    pickled = [file for file in _PICKLED if (folder / file).is_file()]
    if pickled:
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has its weights only as {pickled[0]}, a pickle, which can run "
            "code and is never loaded. If you trust it, convert it once: AutoModel.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER) writes model.safetensors."
        )
    foreign = [file for file in _FOREIGN if (folder / file).is_file()]
    instead = f" but {foreign[0]}" if foreign else ""
    raise ModelError(
        f"cannot load the model {name!r}: {folder} has no {WEIGHTS}{instead}. "
        "Choose a checkpoint with safetensors weights, or write them with save_pretrained."
    )


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
    weights = {path.relative_to(folder).as_posix(): path for path in weight_files(folder, name)}
    try:
        files = {path.name: path for path in folder.iterdir() if path.is_file() and _may_be_read(path)}
        return FileHashes(
            weights={file: file_sha256(path) for file, path in weights.items()},
            others={file: file_sha256(path) for file, path in files.items() if file not in weights},
        )
    except OSError as error:
        raise ModelError(f"cannot read the files of the model {name!r}: {error}. Check their permissions.") from error


def _may_be_read(path: Path) -> bool:
    """Return whether loading may read a file: what is unknown counts, since tokenizers have files of many names."""
    return path.suffix.lower() not in _NEVER_READ and not path.name.startswith(".")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_weights(path: Path, name: str) -> None:
    """Check that a safetensors file is as long as its header declares.

    A shorter file would fail after minutes of loading, with a message that does not name it.

    Raises:
        ModelError: If the length differs, or the header cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
        if start == _LFS_POINTER:
            raise ModelError(
                f"cannot load the model {name!r}: {path} is only a Git LFS pointer to its weights. Run `git lfs pull`."
            )
        length = int.from_bytes(start[:_LENGTH_BYTES], "little")
        # In a file of another format, these bytes are any number: a header beyond the end of the file is not read.
        file.seek(_LENGTH_BYTES)
        header = file.read(length) if length <= size - _LENGTH_BYTES else b""
    try:
        tensors = [tensor for key, tensor in json.loads(header).items() if key != "__metadata__"]
        expected = _LENGTH_BYTES + length + max((tensor["data_offsets"][1] for tensor in tensors), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is not a safetensors file, or only its beginning ({size} bytes). "
            "Fetch or write it again."
        ) from error
    if expected != size:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is incomplete or damaged: it has {size} bytes, its header "
            f"declares {expected}. Fetch or write it again."
        )
