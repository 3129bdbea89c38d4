"""The store with files that nobody wrote on purpose: pipes, devices, links, right checksums over nonsense."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import made_up
from freezebench.errors import RecordError
from freezebench.records.store import Store, decode, encode, record_key
from full_record import signed


@pytest.fixture
def place(tmp_path: Path) -> tuple[Store, str, Path]:
    """A store, a key, and the path where its run would be."""
    key = record_key(made_up.record())
    assert key is not None
    (tmp_path / "runs").mkdir()
    return Store(tmp_path / "runs"), key, tmp_path / "runs" / f"{key}.json"


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """End a test that hangs in a call of the system, such as the opening of a pipe."""
    ended = threading.Event()

    def end() -> None:
        if not ended.wait(20):
            os._exit(70)

    threading.Thread(target=end, daemon=True).start()
    yield
    ended.set()


def _socket(path: Path) -> None:
    """Bind a socket by a relative name, since its path may be too long for one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


OBSTACLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "it is a pipe, a socket or a device, not a file"),
    "socket": (_socket, "it is a pipe, a socket or a device, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a pipe, a socket or a device, not a file"),
    "terminal": (lambda path: path.symlink_to("/dev/tty"), "it is a pipe, a socket or a device, not a file"),
    "broken link": (lambda path: path.symlink_to("nowhere"), "it is a symbolic link that leads nowhere"),
    "loop": (lambda path: path.symlink_to(path.name), "it is a symbolic link that leads nowhere"),
    "sparse": (_sparse, "it is larger than 256 MB"),
}


@pytest.mark.parametrize("kind", OBSTACLES)
def test_what_is_no_file_is_set_aside(place: tuple[Store, str, Path], kind: str) -> None:
    """It is neither opened nor followed, and the run can be saved in its place."""
    store, key, path = place
    make, reason = OBSTACLES[kind]
    make(path)
    assert store.load(key) is None
    assert store.problems == [next(iter(store.problems))]
    assert store.problems[0].startswith(f"{path} is not used: {reason}. It was moved to ")
    assert store.save(made_up.record())
    assert store.load(key) == made_up.record()


def test_files_of_other_devices_are_checked_likewise(place: tuple[Store, str, Path]) -> None:
    """They are looked up by a pattern, which finds pipes as well."""
    store, key, path = place
    os.mkfifo(path.with_name(f"{key.partition('-')[0]}-00000000.json"))
    assert store.load_of_other_device(key) is None
    assert "it is a pipe" in store.problems[0]


@pytest.mark.parametrize("name", ["set-aside"])
def test_a_link_in_place_of_the_folder_is_not_followed(
    place: tuple[Store, str, Path], tmp_path: Path, name: str
) -> None:
    """Nothing is written where it leads to; the problem says what to do."""
    store, key, path = place
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.folder / name).symlink_to(outside)
    path.write_bytes(b"damaged")
    assert store.load(key) is None
    assert list(outside.iterdir()) == []
    assert "is a symbolic link, which is not followed: remove it" in store.problems[0]
    assert path.read_bytes() == b"damaged"


def test_locks_of_runs_do_not_wait_for_pipes(place: tuple[Store, str, Path]) -> None:
    """A pipe with the name of a lock is opened without waiting."""
    store, key, _ = place
    os.mkfifo(store.folder / f".{key}.claim")
    claim = store.claim(key)
    assert claim.try_acquire()
    claim.release(remove=True)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o027], ids=oct)
def test_the_umask_is_respected(place: tuple[Store, str, Path], mask: int) -> None:
    """By files, those that replace others included, and by folders."""
    store, key, path = place
    before = os.umask(mask)
    try:
        assert store.save(made_up.record())
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask
        assert store.save(made_up.record(), replaces=True)
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask
        path.write_bytes(b"damaged")
        assert store.load(key) is None
        folders = [store.folder / "set-aside", *(store.folder / "set-aside").iterdir()]
        assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o777 & ~mask] * 2
    finally:
        os.umask(before)


@pytest.mark.parametrize("files_sha256", [None, 3, [], {}, True, 10**400, "\ud800"], ids=lambda value: repr(value)[:9])
def test_a_right_checksum_over_a_wrong_hash_is_no_error(files_sha256: object) -> None:
    """The hash beside the record has its type checked, too; a run without it has no key."""
    run = json.loads(encode(made_up.record(num_test=4)))["record"]
    try:
        record = decode(signed(run, files_sha256))
    except RecordError:
        return
    assert (files_sha256, record.files_sha256, record_key(record)) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"schema": 1, "schema": 1}', "a key occurs twice"),
        (b'{"schema": NaN}', "it holds NaN, which is no figure"),
        (b'{"schema": -Infinity}', "it holds -Infinity, which is no figure"),
        (b'{"schema": 1e999, "record": {}}', "it has schema inf"),
        (b'{"schema": ' + b"9" * 5000 + b', "record": {}}', "damaged or not JSON"),
        (b'{"schema": ' + b"9" * 4000 + b', "record": {}}', "it has schema 999"),
        (b'{"a":' * 100_000, "damaged or not JSON"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "it was not written by freezebench"),
        (signed({}), "it has schema None"),
        (signed({"schema": 1}), "a RunRecord has no field 'spec'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_content_that_nobody_writes_is_a_record_error(content: bytes, reason: str) -> None:
    """Twice the same key, figures that are none, numbers of thousands of digits, deep nesting."""
    with pytest.raises(RecordError) as caught:
        decode(content)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400
