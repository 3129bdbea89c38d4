"""The files of a checkpoint folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from freezebench.errors import ModelError
from freezebench.models.checkpoint import check_folder, depth_of, file_hashes, file_sha256, label_names_of


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 6},
        {"n_layers": 6},
        {"n_layer": 6, "vocab_size": 9},
        {"num_layers": 6},
        {"text_config": {"num_hidden_layers": 6}, "vision_config": {"num_hidden_layers": 3}},
    ],
)
def test_the_depth_has_several_names(config: dict[str, Any]) -> None:
    """Architectures have different names for the number of layers."""
    assert depth_of(config, "m") == 6


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"layers": 6}, "has none of num_hidden_layers, .* num_layers in the freeze marker"),
        ({"n_layers": 0}, "n_layers in its config.json is 0"),
        ({"n_layers": "six"}, "is 'six'"),
        ({"n_layers": True}, "is True"),
        ({"n_layers": 10**9}, "is 1000000000. Write a number of layers from 1 to 1000"),
        ({"text_config": 3}, "has none of"),
    ],
)
def test_an_invalid_depth_is_refused(config: dict[str, Any], message: str) -> None:
    """Any value but a positive whole number is an error that quotes it."""
    with pytest.raises(ModelError, match=message):
        depth_of(config, "m")


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, None),
        ({"id2label": {"1": "yes", "0": "no"}}, ("no", "yes")),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, None),
        ({"id2label": {"0": "no", "2": "yes"}}, None),
        ({"id2label": {"a": "no"}}, None),
        ({"id2label": ["no", "yes"]}, None),
    ],
)
def test_class_names_are_those_of_a_fine_tuned_checkpoint(
    config: dict[str, Any], names: tuple[str, ...] | None
) -> None:
    """Generated or incomplete names count as none."""
    assert label_names_of(config) == names


def test_the_hash_of_one_weight_file_is_that_of_the_file(tiny_model: Path) -> None:
    """It can be compared with a published SHA-256."""
    published = hashlib.sha256((tiny_model / "model.safetensors").read_bytes()).hexdigest()
    assert file_hashes(tiny_model, "m").weights_sha256 == published == file_sha256(tiny_model / "model.safetensors")


def write_parts(folder: Path, contents: dict[str, bytes]) -> Path:
    """Write several weight files with their index."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    index = {"weight_map": {f"w{number}": name for number, name in enumerate(contents)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_the_hash_of_several_files_depends_on_each_and_on_their_names(tmp_path: Path) -> None:
    """A change in any file changes it."""
    first = file_hashes(write_parts(tmp_path, {"a": b"1", "b": b"2"}), "m").weights_sha256
    assert file_hashes(write_parts(tmp_path, {"b": b"2", "a": b"1"}), "m").weights_sha256 == first
    assert file_hashes(write_parts(tmp_path, {"a": b"2", "b": b"1"}), "m").weights_sha256 != first


@pytest.mark.parametrize("index", ["{", "[]", "[" * 100_000, '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_a_broken_index_is_refused(tmp_path: Path, index: str) -> None:
    """The index of several weight files has to name them."""
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ModelError, match=r"Fetch (or write )?(it|them) again"):
        file_hashes(tmp_path, "m")


@pytest.mark.parametrize("file", ["tf_model.h5", "model.onnx"])
def test_weights_of_other_frameworks_are_named(tmp_path: Path, file: str) -> None:
    """The message names the file that the folder has instead."""
    (tmp_path / file).touch()
    with pytest.raises(ModelError, match=f"has no model.safetensors but {file}"):
        file_hashes(tmp_path, "m")


def test_character_models_need_no_vocabulary(tmp_path: Path, tiny_model: Path) -> None:
    """Canine's tokenizer has no vocabulary file."""
    (tmp_path / "config.json").write_text('{"model_type": "canine"}')
    (tmp_path / "model.safetensors").write_bytes((tiny_model / "model.safetensors").read_bytes())
    check_folder(tmp_path, "m")


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("config.json", True),
        ("vocab.txt", True),
        ("added_tokens.json", True),
        ("merges.txt", True),
        ("qwen.tiktoken", True),
        ("source.spm", True),
        ("tokens_of_a_kind_unknown_here", True),
        ("adapter_model.safetensors", True),
        ("README.md", False),
        ("pytorch_model.bin", False),
        (".config.json.swp", False),
        ("training.log", False),
    ],
)
def test_every_file_that_loading_may_read_is_hashed(tiny_model: Path, tmp_path: Path, file: str, counts: bool) -> None:
    """A file that is added or edited changes the hash of the others, but not texts for people and unused weights."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    before = file_hashes(folder, "m")
    (folder / file).write_bytes(b"new")
    after = file_hashes(folder, "m")
    assert before.differing(after) == ([file] if counts else [])
    assert (before.files_sha256 != after.files_sha256) == counts
    assert before.weights_sha256 == after.weights_sha256
