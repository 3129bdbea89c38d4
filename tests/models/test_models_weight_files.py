"""The weight files of a checkpoint, and the advice to convert pickled ones."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from freezebench.errors import ModelError
from freezebench.models.load import load_model, quiet
from freezebench.models.weight_files import StoredTensor, stored_tensors, weight_files
from tiny import SMALL_BERT


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder to change, whose name needs quoting."""
    return Path(shutil.copytree(tiny_model, tmp_path / "it's a [model]"))


def shard(folder: Path) -> list[Path]:
    """Divide the weights of a folder into several files with an index."""
    model: Any = load_model(str(folder))[0]
    (folder / "model.safetensors").unlink()
    with quiet():
        model.save_pretrained(folder, max_shard_size="10KB")
    return weight_files(folder, "m")


def scores(model: Any) -> torch.Tensor:
    """Return the scores of a model for some tokens."""
    ids = torch.arange(5, 25).reshape(2, 10)
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    return logits


def as_pickle(folder: Path, num_files: int) -> None:
    """Replace the weights of a folder by pickles, as older releases of Transformers wrote them."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    if num_files == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return
    files = {
        key: f"pytorch_model-{number % num_files + 1:05}-of-{num_files:05}.bin" for number, key in enumerate(names)
    }
    for file in set(files.values()):
        torch.save({key: tensors[key] for key in names if files[key] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))


@pytest.mark.slow
@pytest.mark.parametrize("num_files", [1, 3])
@pytest.mark.parametrize("architectures", [True, False])
def test_the_advice_for_pickled_weights_keeps_the_head(
    folder: Path, num_files: int, architectures: bool, shell: Callable[[str], CompletedProcess[str]]
) -> None:
    """The command in the message is run as it stands; the scores are those of the fine-tuned model."""
    torch.manual_seed(4)
    make: Any = transformers.BertForSequenceClassification
    model = make(transformers.BertConfig(**SMALL_BERT | {"num_labels": 3})).eval()  # type: ignore[arg-type]
    with quiet():
        model.save_pretrained(folder)
    if not architectures:
        config = json.loads((folder / "config.json").read_text())
        config.pop("architectures")
        (folder / "config.json").write_text(json.dumps(config))
    as_pickle(folder, num_files)
    with pytest.raises(ModelError, match="a pickle, which can run code and is never loaded") as caught:
        load_model(str(folder), 3)
    command = str(caught.value).partition("`")[2].rpartition("`")[0]
    shell(command).check_returncode()
    loaded = load_model(str(folder), 3)[0]
    assert torch.equal(scores(loaded), scores(model))


@pytest.mark.slow
def test_the_advice_runs_no_code_of_a_pickle(
    folder: Path, tmp_path: Path, shell: Callable[[str], CompletedProcess[str]]
) -> None:
    """A pickle that would run a command is refused by the command in the message."""

    class Evil:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (folder / "model.safetensors").unlink()
    torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError) as caught:
        load_model(str(folder))
    command = str(caught.value).partition("`")[2].rpartition("`")[0]
    assert "UnpicklingError" in shell(command).stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_divided_weights_in_half_precision_load_in_float32(folder: Path, kind: str) -> None:
    """Every tensor has the value that is in its file."""
    stored = {key: tensor.to(getattr(torch, kind)) for key, tensor in load_file(folder / "model.safetensors").items()}
    names = sorted(stored)
    (folder / "model.safetensors").unlink()
    files = {key: f"part-{number % 3}.safetensors" for number, key in enumerate(names)}
    for file in set(files.values()):
        save_file({key: stored[key] for key in names if files[key] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    model = load_model(str(folder))[0]
    for key, tensor in model.state_dict().items():
        assert tensor.dtype is torch.float32
        assert torch.equal(tensor, stored[key].float())


def other_names(files: dict[str, str]) -> dict[str, str]:
    """Return an index with a tensor that its file does not have."""
    return {**files, "classifier.weight": next(file for file in files.values() if file != files["classifier.weight"])}


INDEX: dict[str, tuple[Callable[[dict[str, str]], Any], str]] = {
    "a parent folder": (
        lambda _: {"w": "../model.safetensors"},
        r"names '\.\./model.safetensors', which is no file of",
    ),
    "another folder": (lambda _: {"w": "/etc/passwd"}, "names '/etc/passwd', which is no file of its folder"),
    "a folder below": (lambda _: {"w": "a/b.safetensors"}, "names 'a/b.safetensors', which is no file of its folder"),
    "a file that is missing": (lambda files: {**files, "w": "b"}, r"1 of the \d+ weight files .* are missing \(b\)"),
    "no names": (lambda _: {"w": ["b"]}, r"names no file for each tensor \(weight_map\). Fetch it again."),
    "a tensor in another file": (
        other_names,
        "lacks classifier.weight, which model.safetensors.index.json says it has",
    ),
}


@pytest.mark.parametrize("name", INDEX)
def test_an_index_that_leads_elsewhere_is_refused(folder: Path, name: str) -> None:
    """Only files of the folder are read, and each tensor is where the index says."""
    change, message = INDEX[name]
    shard(folder)
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, "weight_map": change(index["weight_map"])}))
    with pytest.raises(ModelError, match=message):
        stored_tensors(folder, "m")


def test_an_incomplete_file_of_several_is_refused(folder: Path) -> None:
    """Each file is as long as its header declares."""
    last = shard(folder)[-1]
    last.write_bytes(last.read_bytes()[:-4])
    with pytest.raises(ModelError, match=re.escape(f"{last} is incomplete or damaged")):
        stored_tensors(folder, "m")


def test_sizes_of_tensors_are_those_of_the_file(tiny_model: Path) -> None:
    """In bytes."""
    tensors = load_file(tiny_model / "model.safetensors")
    stored = stored_tensors(tiny_model, "m")
    assert stored == {key: StoredTensor(4 * tensor.numel(), tuple(tensor.shape)) for key, tensor in tensors.items()}


HEADERS: dict[str, tuple[bytes, int]] = {
    "a header of 2^40 bytes": ((2**40).to_bytes(8, "little"), 2**16),
    "a sparse file with that header": ((2**40 - 8).to_bytes(8, "little"), 2**40),
    "the longest number": (b"\xff" * 8, 100),
    "brackets": ((100_000).to_bytes(8, "little") + b"[" * 100_000, 100_008),
    "no offsets": ((10).to_bytes(8, "little") + b'{"a": {} }', 18),
    "offsets that are no numbers": ((30).to_bytes(8, "little") + b'{"a":{"data_offsets":[{},{}]}}', 38),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_refused(tmp_path: Path, name: str) -> None:
    """No more is read than a header has."""
    content, size = HEADERS[name]
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(content)
        file.truncate(size)
    with pytest.raises(ModelError, match="is not a safetensors file, or only its beginning"):
        stored_tensors(tmp_path, "m")


def test_a_folder_in_place_of_the_weights_is_refused(tmp_path: Path) -> None:
    """It exists, but is not a file."""
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(ModelError, match=r"model.safetensors is not a file. Fetch or write the checkpoint again."):
        weight_files(tmp_path, "m")
