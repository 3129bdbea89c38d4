"""The weight files of a checkpoint: safetensors that are whole, and which tensors they hold. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench.errors import ModelError
from freezebench.escaping import shell_word
from freezebench.models.file_checks import MAX_JSON_BYTES, is_file, read_object, readable

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

# Weights in these files are never loaded; they are listed to explain what is wrong.
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_OTHER_PICKLES = ("model.bin", "model.pt", "model.pth")
_FOREIGN = ("tf_model.h5", "flax_model.msgpack", "model.onnx")
# A safetensors file begins with the length of its JSON header in this many bytes, little-endian.
_LENGTH_BYTES = 8
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a weight file.

    Attributes:
        num_bytes: Its size.
        shape: Its dimensions.
    """

    num_bytes: int
    shape: tuple[int, ...]


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the safetensors files of a checkpoint's weights.

    Args:
        folder: The checkpoint's folder.
        name: What error messages call the model.

    Raises:
        ModelError: If there are none, or the index names a file that is missing or not in the folder.
    """
    if is_file(folder / WEIGHTS):
        return [folder / WEIGHTS]
    if is_file(folder / WEIGHTS_INDEX):
        return [folder / shard for shard in sorted(set(_weight_map(folder, name).values()))]
    if any(is_file(folder / file) for file in _PICKLED):
        raise ModelError(
            f"cannot load the model {name!r}: {folder} has its weights only as {_PICKLED[0]}, a pickle, which can run "
            f"code and is never loaded. Convert it once, its head included, without running code: "
            f"`{conversion_command(folder)}`"
        )
    if (folder / WEIGHTS).exists():
        raise ModelError(
            f"cannot load the model {name!r}: {folder / WEIGHTS} is not a file. Fetch or write the checkpoint again."
        )
    others = [file for file in (*_FOREIGN, *_OTHER_PICKLES) if is_file(folder / file)]
    instead = f" but {others[0]}" if others else ""
    raise ModelError(
        f"cannot load the model {name!r}: {folder} has no {WEIGHTS}{instead}. Choose a checkpoint with safetensors "
        "weights, or write them with save_pretrained. A model of the Hub with pytorch_model.bin alone has to be "
        f"converted here: fetch all of its files with `hf download OWNER/NAME --local-dir FOLDER`, and give FOLDER."
    )


def conversion_command(folder: Path) -> str:
    """Return the command that writes the weights of ``pytorch_model*.bin`` as safetensors, all tensors of them.

    It needs no class of the model, so that no part of a fine-tuned model is lost. ``weights_only`` reads tensors alone.
    """
    code = (
        "import glob, torch; from safetensors.torch import save_file; tensors = {}; "
        f"folder = {json.dumps(str(folder))}; "
        '[tensors.update(torch.load(file, "cpu", weights_only=True)) '
        'for file in glob.glob(glob.escape(folder) + "/pytorch_model*.bin")]; '
        "save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, "
        f'folder + "/{WEIGHTS}", {{"format": "pt"}})'
    )
    return f"python -c {shell_word(code)}"


def stored_tensors(folder: Path, name: str) -> dict[str, StoredTensor]:
    """Return by name the tensors in a checkpoint's weight files, which are checked to be whole.

    Raises:
        ModelError: If a file is missing, damaged or incomplete, or lacks a tensor that the index says it has.
    """
    files = weight_files(folder, name)
    by_file = {path.name: tensors_of(path, name) for path in files}
    if files != [folder / WEIGHTS]:
        lacking = [(key, file) for key, file in _weight_map(folder, name).items() if key not in by_file[file]]
        if lacking:
            key, file = lacking[0]
            raise ModelError(
                f"cannot load the model {name!r}: {folder / file} lacks {key}, which {WEIGHTS_INDEX} says it has. "
                "Fetch or write the checkpoint again."
            )
    return {key: tensor for tensors in by_file.values() for key, tensor in tensors.items()}


def _weight_map(folder: Path, name: str) -> dict[str, str]:
    """Return the file of each tensor by its index.

    Raises:
        ModelError: If the index cannot be read, or names a file that is missing or not in the folder.
    """
    index = folder / WEIGHTS_INDEX
    files = read_object(index, name).get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(file, str) for file in files.values()):
        raise ModelError(
            f"cannot load the model {name!r}: {index} names no file for each tensor (weight_map). Fetch it again."
        )
    shards = sorted(set(files.values()))
    outside = [shard for shard in shards if shard in {"", ".", ".."} or "/" in shard or "\\" in shard]
    if outside:
        raise ModelError(
            f"cannot load the model {name!r}: {index} names {outside[0][:100]!r}, which is no file of its folder. "
            "Fetch it again."
        )
    missing = [shard for shard in shards if not is_file(folder / shard)]
    if missing:
        raise ModelError(
            f"cannot load the model {name!r}: {len(missing)} of the {len(shards)} weight files that its index "
            f"names are missing ({missing[0]}). Fetch them again."
        )
    return files


def tensors_of(path: Path, name: str) -> dict[str, StoredTensor]:
    """Return by name the tensors of a safetensors file that is as long as its header declares.

    A shorter file would fail after minutes of loading, with a message that does not name it.

    Raises:
        ModelError: If the length differs, or the header cannot be read.
    """
    with readable(name), path.open("rb") as file:
        size = path.stat().st_size
        start = file.read(len(_LFS_POINTER))
        length = int.from_bytes(start[:_LENGTH_BYTES], "little")
        # In a file of another format, these bytes are any number.
        has_header = length <= min(size - _LENGTH_BYTES, MAX_JSON_BYTES)
        file.seek(_LENGTH_BYTES)
        header = file.read(length) if has_header else b""
    if start == _LFS_POINTER:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is only a Git LFS pointer to its weights. Run `git lfs pull`."
        )
    try:
        tensors = {key: _tensor(value) for key, value in json.loads(header).items() if key != "__metadata__"}
        end = max((end for end, _ in tensors.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is not a safetensors file, or only its beginning ({size} bytes). "
            "Fetch or write it again."
        ) from error
    expected = _LENGTH_BYTES + length + end
    if expected != size:
        raise ModelError(
            f"cannot load the model {name!r}: {path} is incomplete or damaged: it has {size} bytes, its header "
            f"declares {expected}. Fetch or write it again."
        )
    return {key: tensor for key, (_, tensor) in tensors.items()}


def _tensor(entry: Any) -> tuple[int, StoredTensor]:
    """Return where a tensor ends in its file, and the tensor, from its entry in the header."""
    begin, end = map(int, entry["data_offsets"])
    return end, StoredTensor(end - begin, tuple(map(int, entry["shape"])))
