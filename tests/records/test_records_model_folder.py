"""The folder of a saved model: what it may replace, and that it is replaced as a whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import namedtuple
from contextlib import suppress
from pathlib import Path

import pytest

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.records import model_folder
from freezebench.records.model_folder import MANIFEST, ModelFolder


def _save(folder: ModelFolder, content: str = "weights") -> None:
    with folder.replaced() as staging:
        (staging / "model.safetensors").write_text(content)
        (staging / "nested").mkdir()
        (staging / "nested" / "README.md").write_text("a card")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that does not exist yet, in one that does not either."""
    return tmp_path / "models" / "mine"


@pytest.mark.parametrize("name", [None, "experiment"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_is_written_and_replaced(root: Path, name: str | None, *, exists: bool) -> None:
    """A new or empty folder, then an earlier model of freezebench; nothing is left beside it."""
    folder = ModelFolder(root, name)
    if exists:
        folder.path.mkdir(parents=True)
    for content in ("first", "second"):
        folder.check(num_bytes=1)
        _save(folder, content)
        assert (folder.path / "model.safetensors").read_text() == content
        files = json.loads((folder.path / MANIFEST).read_text())["files"]
        assert sorted(files) == ["model.safetensors", "nested/README.md"]
    assert [path.name for path in root.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_an_earlier_model_stays_if_saving_fails(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, can_exchange: bool
) -> None:
    """An error in the block, and one of the swap."""
    folder = ModelFolder(root)
    _save(folder, "earlier")
    if not can_exchange:
        monkeypatch.setattr(model_folder, "_exchange", lambda *_: False)
    with suppress(ZeroDivisionError), folder.replaced() as staging:
        (staging / "model.safetensors").write_text("half")
        raise ZeroDivisionError
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    if not can_exchange:
        monkeypatch.setattr(Path, "rename", fail_for_new)
        with pytest.raises(OSError, match="Input/output error"):
            _save(folder, "new")
    assert (root / "model.safetensors").read_text() == "earlier"
    assert [path.name for path in root.parent.iterdir()] == ["mine"]
    monkeypatch.undo()
    _save(folder, "new")
    assert (root / "model.safetensors").read_text() == "new"


def test_the_exchange_is_not_needed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that cannot exchange two folders, the earlier one is moved away first."""
    monkeypatch.setattr(model_folder, "_exchange", lambda *_: False)
    _save(ModelFolder(root), "first")
    _save(ModelFolder(root), "second")
    assert (root / "model.safetensors").read_text() == "second"


def test_a_file_system_without_locks_has_models_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems may refuse them."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    _save(ModelFolder(root), "first")
    _save(ModelFolder(root), "second")
    assert (root / "model.safetensors").read_text() == "second"


def test_what_freezebench_did_not_save_is_never_replaced(root: Path) -> None:
    """Foreign files, added files, changed files and files in place of the folder are refused, each by name."""
    folder = ModelFolder(root)
    root.mkdir(parents=True)
    (root / "notes.txt").write_text("mine")
    with pytest.raises(
        SettingsError, match=rf"^--freeze-save={root}: {root}/notes\.txt was not saved by freezebench\. "
    ):
        folder.check()
    shutil.rmtree(root)
    _save(folder)
    (root / "nested" / "more.txt").write_text("mine")
    with pytest.raises(
        SettingsError, match=r"nested/more\.txt was not saved by freezebench\. Move or delete it, or na"
    ):
        folder.check()
    (root / "nested" / "more.txt").unlink()
    (root / "model.safetensors").write_text("trained on")
    with pytest.raises(SettingsError, match=r"model\.safetensors was changed after freezebench had saved it"):
        folder.check()
    (root / MANIFEST).write_text("{")
    with pytest.raises(SettingsError, match=r"model\.safetensors was not saved by freezebench"):
        folder.check()
    shutil.rmtree(root)
    root.write_text("a file")
    with pytest.raises(SettingsError, match="mine is no folder"):
        folder.check()


def test_content_that_came_after_the_check_is_kept(root: Path) -> None:
    """Hours of training lie between the check and the swap."""
    folder = ModelFolder(root)
    folder.check()

    def save_and_put_notes_there() -> None:
        with folder.replaced() as staging:
            (staging / "model.safetensors").write_text("weights")
            root.mkdir()
            (root / "notes.txt").write_text("mine")

    with pytest.raises(FreezebenchError, match=r"the model was not saved to .*notes\.txt"):
        save_and_put_notes_there()
    assert [path.name for path in root.iterdir()] == ["notes.txt"]


def test_one_model_and_several_do_not_share_a_folder(root: Path) -> None:
    """Subfolders of other experiments stay; a model in the folder itself, or a foreign neighbour, is refused."""
    _save(ModelFolder(root, "first"))
    ModelFolder(root, "second").check()
    _save(ModelFolder(root, "second"))
    assert sorted(path.name for path in root.iterdir()) == ["first", "second"]
    with pytest.raises(SettingsError, match="mine holds the models of several experiments, such as first"):
        ModelFolder(root).check()
    (root / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"notes\.txt was not saved by freezebench"):
        ModelFolder(root, "first").check()
    shutil.rmtree(root)
    _save(ModelFolder(root))
    with pytest.raises(SettingsError, match="holds one saved model, and this session has several experiments"):
        ModelFolder(root, "first").check()


def test_a_folder_that_cannot_be_written_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder above it is what has to be writable."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(SettingsError, match=rf"cannot write in {root.parent} \(Read-only file system\), where the mod"):
        ModelFolder(root).check()


def test_a_mount_point_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names a folder inside it."""
    monkeypatch.setattr(Path, "is_mount", lambda self: self == root)
    with pytest.raises(SettingsError, match=rf"is a mount point, .*inside it: {root}/model\."):
        ModelFolder(root).check()


def test_too_little_space_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Need and free space are both in the message; a model of unknown size passes."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 0, 100))
    with pytest.raises(SettingsError, match=r"takes about 200 B, and 100 B are free in"):
        ModelFolder(root).check(num_bytes=200)
    ModelFolder(root).check()


def test_a_kill_leaves_the_earlier_model_and_the_next_session_tidies_up(root: Path) -> None:
    """What the killed session wrote is beside the folder, and goes with the next saving; a living session's stays."""
    _save(ModelFolder(root), "earlier")
    code = (
        "import os, sys, signal, pathlib; from freezebench.records.model_folder import ModelFolder\n"
        "with ModelFolder(pathlib.Path(sys.argv[1])).replaced() as staging:\n"
        "    (staging / 'model.safetensors').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(root)], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (root / "model.safetensors").read_text() == "earlier"
    assert len(list(root.parent.iterdir())) == 2
    with ModelFolder(root).replaced() as living:
        assert len(list(root.parent.iterdir())) == 2
        _save(ModelFolder(root), "other")
        assert living.is_dir()
    assert [path.name for path in root.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", ["file", "pipe", "loop", "broken link", "device", "long name", "inside a file"])
def test_whatever_is_no_folder_is_refused_before_training(tmp_path: Path, kind: str) -> None:
    """In one sentence that names the option."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken link").symlink_to(tmp_path / "file" / "x")
    os.mkfifo(tmp_path / "pipe")
    others = {
        "device": Path("/dev/null"),
        "long name": tmp_path / ("a" * 300),
        "inside a file": tmp_path / "file" / "x",
    }
    root = others.get(kind, tmp_path / kind)
    with pytest.raises(SettingsError, match=r"^--freeze-save="):
        ModelFolder(root).check()


@pytest.mark.parametrize(
    "manifest", [b"[" * 100_000, b"\xff", b"[]", b'{"schema": 1, "files": 3}', b'{"schema": 1, "files": {"a": 10}}']
)
def test_a_hostile_list_of_files_protects_what_is_there(tmp_path: Path, manifest: bytes) -> None:
    """A folder whose list cannot be read, or lists other content, is not replaced."""
    (tmp_path / "a").write_text("mine", encoding="utf-8")
    (tmp_path / MANIFEST).write_bytes(manifest)
    with pytest.raises(SettingsError, match=r"was not saved by freezebench|was changed after"):
        ModelFolder(tmp_path).check()


def test_pipes_in_the_folder_do_not_block(tmp_path: Path) -> None:
    """They are neither opened nor replaced, even where the list of files names them."""
    os.mkfifo(tmp_path / "a")
    (tmp_path / MANIFEST).write_text(json.dumps({"schema": 1, "files": {"a": "0" * 64}}), encoding="utf-8")
    with pytest.raises(SettingsError, match="was changed after"):
        ModelFolder(tmp_path).check()
