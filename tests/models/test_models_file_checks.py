"""Small files of a checkpoint are read within bounds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freezebench.errors import ModelError
from freezebench.models import file_checks
from freezebench.models.checkpoint import check_folder, file_hashes
from freezebench.models.file_checks import read_object, readable
from freezebench.models.source import ModelSource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The place of a configuration."""
    return tmp_path / "config.json"


CONTENT: dict[str, tuple[str | bytes, str]] = {
    "brackets": ("[" * 100_000, "cannot be read: it is nested too deeply"),
    "objects": ('{"a":' * 100_000, "cannot be read: it is nested too deeply"),
    "a number of many digits": ('{"n_layers": ' + "9" * 10_000 + "}", "cannot be read: Exceeds the limit"),
    "no text": (b"\xff\xfe\x00\x81", "cannot be read: "),
    "a list": ("[]", "holds no JSON object"),
    "nothing": ("", "cannot be read: "),
}


@pytest.mark.parametrize("name", CONTENT)
def test_content_that_is_no_object_is_refused(path: Path, name: str) -> None:
    """The message names the file and says what to do."""
    content, message = CONTENT[name]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError, match=rf"config.json {message}.*Fetch or write it again\.$"):
        read_object(path, "m")


def test_a_file_that_is_too_large_is_not_read(path: Path) -> None:
    """Its size is looked at before."""
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelError, match=r"has 1.00 TiB, and no such file has more than 16.0 MiB"):
        read_object(path, "m")


SPECIAL: dict[str, Callable[[Path], Any]] = {
    "a folder": lambda path: path.mkdir(),
    "a FIFO": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_what_is_no_file_is_not_opened(path: Path, name: str) -> None:
    """Opening a FIFO waits for a writer, and a device has no end."""
    SPECIAL[name](path)
    with pytest.raises(ModelError, match="is no regular file"):
        read_object(path, "m")


def test_errors_of_the_file_system_are_those_of_the_model() -> None:
    """The message quotes them."""
    with (
        pytest.raises(ModelError, match=r"the model 'm': its files cannot be read \(\[Errno 13\].*permissions"),
        readable("m"),
    ):
        raise PermissionError(13, "Permission denied", "model.safetensors")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", ""])
def test_a_file_without_permission_is_refused(tiny_model: Path, tmp_path: Path, file: str) -> None:
    """Weights, configuration, tokenizer, and the folder itself."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (folder / file).chmod(0)
    try:
        with pytest.raises(ModelError, match="Permission denied"):
            ModelSource.resolve(str(folder)).file_hashes()
    finally:
        (folder / file).chmod(0o700)


def test_unreadable_weights_are_refused(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the tests run as root, who may read everything."""
    opened = Path.open

    def refuse(self: Path, *args: Any, **options: Any) -> Any:
        if self.name == "model.safetensors":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match="Permission denied"):
        check_folder(tiny_model, "m")
    with pytest.raises(ModelError, match="Permission denied"):
        file_hashes(tiny_model, "m")


def test_the_bound_is_far_above_published_files() -> None:
    """The index of a checkpoint of a hundred thousand tensors fits."""
    assert file_checks.MAX_JSON_BYTES > 100_000 * 100
