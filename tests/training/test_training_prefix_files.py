"""Cached prefixes from session to session."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.prefix import files as prefix_files
from freezebench.training.prefix.cached_prefix import CachedPrefix
from freezebench.training.prefix.files import PrefixFolder

if TYPE_CHECKING:
    from pathlib import Path


def _prefix(value: float = 1.0) -> CachedPrefix:
    hidden = {"train": torch.full((10, 4), value, dtype=torch.bfloat16)}
    return CachedPrefix(hidden=hidden, cls_only=True, num_bytes=80)


def test_a_written_prefix_is_read(tmp_path: Path) -> None:
    """Contents and kind are the same; other keys and depths do not exist."""
    folder = PrefixFolder(tmp_path / "new")
    folder.write("key", 3, _prefix())
    prefixes = PrefixFolder(tmp_path / "new").read("key", [2, 3])
    assert list(prefixes) == ["key-3"]
    assert torch.equal(prefixes["key-3"].hidden["train"], _prefix().hidden["train"])
    assert prefixes["key-3"].cls_only
    assert prefixes["key-3"].where == str(tmp_path / "new" / "freezebench-prefix-key-3.safetensors")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "noise"])
def test_damaged_files_are_removed(tmp_path: Path, damage: str) -> None:
    """One wrong bit is enough: the file is removed, with a note."""
    folder = PrefixFolder(tmp_path)
    folder.write("key", 3, _prefix())
    path = tmp_path / "freezebench-prefix-key-3.safetensors"
    whole = path.read_bytes()
    changed = {"flip": whole[:-1] + bytes([whole[-1] ^ 1]), "cut": whole[:-9], "empty": b"", "noise": os.urandom(200)}
    path.write_bytes(changed[damage])
    assert folder.read("key", [3]) == {}
    assert "is damaged" in folder.notes[0]
    assert not path.exists()


def test_the_least_recently_used_file_is_removed(tmp_path: Path) -> None:
    """The folder keeps to its limit; a prefix that exceeds it is not written."""
    folder = PrefixFolder(tmp_path)
    for depth in range(3):
        folder.write("key", depth, _prefix(depth))
        os.utime(tmp_path / f"freezebench-prefix-key-{depth}.safetensors", (depth, depth))
    folder.read("key", [0])
    size = (tmp_path / "freezebench-prefix-key-0.safetensors").stat().st_size
    PrefixFolder(tmp_path, 2 * size + 80).write("key", 3, _prefix())
    assert sorted(path.stem[-5:] for path in tmp_path.iterdir()) == ["key-0", "key-2", "key-3"]
    PrefixFolder(tmp_path, 10).write("key", 4, _prefix())
    assert not (tmp_path / "freezebench-prefix-key-4.safetensors").exists()


def test_other_files_are_never_removed(tmp_path: Path) -> None:
    """The folder may hold a model, too."""
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    PrefixFolder(tmp_path, 100).write("key", 3, _prefix())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "freezebench-prefix-key-3.safetensors",
        "model.safetensors",
    ]


def test_unfinished_files_are_removed_like_others(tmp_path: Path) -> None:
    """A killed session may leave one."""
    left = tmp_path / ".freezebench-prefix-key-2.safetensors.123"
    left.write_bytes(bytes(1000))
    PrefixFolder(tmp_path, 2000).write("key", 3, _prefix())
    assert left.exists()
    PrefixFolder(tmp_path, 1000).write("key", 4, _prefix())
    assert not left.exists()


def test_an_unreadable_file_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may belong to another user; a note gives the reason."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    folder = PrefixFolder(tmp_path)
    folder.write("key", 3, _prefix())
    monkeypatch.setattr(prefix_files, "safe_open", refuse)
    assert folder.read("key", [3]) == {}
    assert "cannot be read" in folder.notes[0]
    assert (tmp_path / "freezebench-prefix-key-3.safetensors").exists()


def test_a_folder_that_cannot_be_written_gives_a_note(tmp_path: Path) -> None:
    """The session continues."""
    (tmp_path / "file").write_text("no folder")
    folder = PrefixFolder(tmp_path / "file")
    folder.write("key", 3, _prefix())
    assert "--freeze-prefix-cache" in folder.notes[0]


def _spec(model: Path, data: Path) -> RunSpec:
    return RunSpec(
        model=str(model),
        data=DataSpec(source=str(data)),
        freeze="emb+L0",
        device="cpu",
        protocol=Protocol(engine="cached", precision="float32", num_epochs=1, batch_size=8),
    )


def test_a_file_of_another_model_is_named(tiny_model: Path, tiny_data: Path, tmp_path: Path) -> None:
    """Its checksum is right, but the model differed in something that the key does not cover."""
    spec = _spec(tiny_model, tiny_data)
    assert run(spec, data_cache=DataCache(prefix_folder=str(tmp_path))).is_valid
    (kept,) = tmp_path.glob("*.safetensors")
    key = kept.stem.removeprefix("freezebench-prefix-").removesuffix("-1")
    folder = PrefixFolder(tmp_path)
    prefix = folder.read(key, [1])[f"{key}-1"]
    folder.write(key, 1, replace(prefix, hidden={name: 1.1 * tensor for name, tensor in prefix.hidden.items()}))
    record = run(spec, data_cache=DataCache(prefix_folder=str(tmp_path)))
    assert record.cause == "prefix_mismatch"
    assert f"(in {kept})" in str(record.reason)
    assert "Remove the file and run again" in str(record.reason)
    kept.unlink()
    assert run(spec, data_cache=DataCache(prefix_folder=str(tmp_path))).is_valid


def test_a_second_session_runs_no_pass(tiny_model: Path, tiny_data: Path, tmp_path: Path) -> None:
    """The results are the same; a damaged file is computed again, with a warning."""
    spec = _spec(tiny_model, tiny_data)
    data_caches = [DataCache(prefix_folder=str(tmp_path / "kept")) for _ in range(3)]
    first = run(spec, data_cache=data_caches[0])
    second = run(spec, data_cache=data_caches[1])
    assert [data_cache.prefixes.num_passes for data_cache in data_caches] == [1, 0, 0]
    assert first.step_losses == second.step_losses
    assert second.value("prefix_s") is None
    kept = next((tmp_path / "kept").glob("*.safetensors"))
    assert second.readings["prefix_bytes"].source == str(kept)
    kept.write_bytes(kept.read_bytes()[:-1])
    third = run(spec, data_cache=data_caches[2])
    assert data_caches[2].prefixes.num_passes == 1
    assert "is damaged" in third.warnings[0]
    assert third.step_losses == first.step_losses


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002], ids=oct)
def test_the_umask_is_respected(tmp_path: Path, mask: int) -> None:
    """A folder that sessions of several users share needs files that all of them can read."""
    before = os.umask(mask)
    try:
        PrefixFolder(tmp_path).write("key", 3, _prefix())
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o666 & ~mask]


@pytest.mark.parametrize("shape", [(), (0,), (0, 4)], ids=str)
def test_tensors_of_other_shapes_are_removed(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """A tensor without rows has no bytes to hash; a file that holds one was not written by a session."""
    path = tmp_path / "freezebench-prefix-key-3.safetensors"
    save_file({"train": torch.zeros(shape)}, path, metadata={"sha256": "0" * 64, "first_only": "no"})
    folder = PrefixFolder(tmp_path)
    assert folder.read("key", [3]) == {}
    assert not path.exists()
    assert "is damaged" in folder.notes[0]
