"""The files of a checkpoint folder: what has to be there, whether it is whole, and its hash. No torch."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any

from freezebench.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

# Any one of these holds a vocabulary; a tokenizer made without one knows no words, and transformers does not complain.
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
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin", "model.pt", "model.pth")
_FOREIGN = ("tf_model.h5", "flax_model.msgpack", "model.onnx")
_DEPTH_KEYS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
_REMOTE_CODE = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification")
_HEADER_BYTES = 8
_LFS_POINTER = b"version https://git-lfs"


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Return the model configuration of a checkpoint folder.

    Args:
        folder: The folder.
        name: What error messages call the model.

    Raises:
        ModelError: If there is none, or it is not a JSON object.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has no config.json. "
            "Give the folder that save_pretrained wrote the model to."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load the model {name!r}: {path} cannot be read: {error}. Write it anew.") from error
    if not isinstance(config, dict):
        raise ModelError(f"cannot load the model {name!r}: {path} holds no JSON object. Write it anew.")
    return config


def depth_of(config: dict[str, Any], name: str) -> int:
    """Return the number of layers that a model configuration gives.

    Raises:
        ModelError: If it gives none, or what it gives is no positive whole number.
    """
    text_config = config.get("text_config")  # where models of text and pictures keep it
    for key, place in itertools.product(_DEPTH_KEYS, (config, text_config)):
        if isinstance(place, dict) and key in place:
            depth = place[key]
            if isinstance(depth, int) and not isinstance(depth, bool) and depth > 0:
                return depth
            raise ModelError(
                f"cannot read the depth of {name!r}: {key} in its config.json is {depth!r}. Write a number of layers."
            )
    raise ModelError(
        f"cannot read the depth of {name!r}: its config.json has none of {', '.join(_DEPTH_KEYS)}. "
        "Say it with num_layers in the freeze marker."
    )


def label_names_of(config: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the class names of a model configuration by class number; ``None`` if it has only made-up ones."""
    given = config.get("id2label")
    if not isinstance(given, dict) or set(given) != {str(number) for number in range(len(given))}:
        return None
    names = tuple(str(given[str(number)]) for number in range(len(given)))
    return None if all(name.upper().startswith("LABEL_") for name in names) else names


def check_folder(folder: Path, name: str) -> None:
    """Make sure that a checkpoint folder has all that loading needs, from its files alone.

    Raises:
        ModelError: If configuration, weights or tokenizer are missing, damaged, or of a kind that is not loaded.
    """
    config = read_config(folder, name)
    remote = config.get("auto_map")
    if isinstance(remote, dict) and any(key in remote for key in _REMOTE_CODE):
        raise ModelError(
            f"cannot load the model {name!r}: its config.json asks for Python code of its own (auto_map), which is "
            "never run here. Choose a model of an architecture that transformers has, or load this one in a "
            "module:factory of yours."
        )
    if "model_type" not in config:
        raise ModelError(
            f"cannot load the model {name!r}: its config.json names no model_type. "
            "Write it anew with save_pretrained, or load the model in a module:factory of yours."
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


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the safetensors files that hold a checkpoint's weights.

    Raises:
        ModelError: If there are none, or some of several are missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / WEIGHTS_INDEX
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"cannot load the model {name!r}: {index} cannot be read. Fetch it again.") from error
        lost = [shard for shard in shards if not (folder / shard).is_file()]
        if lost or not shards:
            raise ModelError(
                f"cannot load the model {name!r}: {len(lost)} of the {len(shards)} weight files that its index names "
                f"are missing ({', '.join(lost[:1])}). Fetch them again."
            )
        return [folder / shard for shard in shards]
    pickled = [file for file in _PICKLED if (folder / file).is_file()]
    if pickled:
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has its weights only as {pickled[0]}, a pickle, which can run "
            "code and is never loaded here. If you trust it, convert it once: AutoModel.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER) writes model.safetensors."
        )
    foreign = [file for file in _FOREIGN if (folder / file).is_file()]
    found = f" but {foreign[0]}" if foreign else ""
    raise ModelError(
        f"cannot load the model {name!r}: {folder} has no {WEIGHTS}{found}. "
        "Choose a checkpoint with safetensors weights, or write them with save_pretrained."
    )


def weights_sha256(folder: Path, name: str) -> str:
    """Return the SHA-256 of a checkpoint's weights; of several files, that of their names and hashes in order.

    Raises:
        ModelError: If there are none.
    """
    files = weight_files(folder, name)
    hashes = [file_sha256(path) for path in files]
    if len(files) == 1:
        return hashes[0]
    lines = "".join(f"{digest}  {path.name}\n" for digest, path in zip(hashes, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_weights(path: Path, name: str) -> None:
    """Make sure that a safetensors file is as long as its header says.

    Raises:
        ModelError: If it is not: loading it would fail after minutes, with a message that does not name the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
        if start == _LFS_POINTER:
            raise ModelError(
                f"cannot load the model {name!r}: {path} is only a Git LFS pointer to its weights. Run `git lfs pull`."
            )
        length = int.from_bytes(start[:_HEADER_BYTES], "little")
        file.seek(_HEADER_BYTES)
        header = file.read(length) if length <= size - _HEADER_BYTES else b""
    try:
        tensors = [tensor for key, tensor in json.loads(header).items() if key != "__metadata__"]
        wanted = _HEADER_BYTES + length + max((tensor["data_offsets"][1] for tensor in tensors), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is not a safetensors file, or only its beginning ({size} bytes). "
            "Fetch or write it again."
        ) from error
    if wanted != size:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is incomplete or damaged: it has {size} bytes, its header "
            f"promises {wanted}. Fetch or write it again."
        )
