"""Cached prefixes in a folder that sessions share: one file per depth, named by key and verified by checksum."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from freezebench.records.files import usual_modes
from freezebench.records.locks import Lock
from freezebench.training.prefix.cached_prefix import CachedPrefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

DEFAULT_FOLDER_BYTES = 10 * 2**30
# Only files of this name are counted and removed: the folder may hold others.
_NAME = "freezebench-prefix-{key}-{depth}.safetensors"
_PATTERN = _NAME.format(key="*", depth="*")
_LOCK = ".freezebench-prefix-{key}.lock"


class PrefixFolder:
    """A folder of cached prefixes that sessions share.

    Attributes:
        notes: Warnings for the user: files that were damaged, or could not be written.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        """Use a folder, which is created at the first write.

        Args:
            folder: The folder.
            limit_bytes: Size beyond which the least recently used files are removed; ``None``: 10 GiB.
        """
        self.notes: list[str] = []
        self._folder = folder
        self._limit = DEFAULT_FOLDER_BYTES if limit_bytes is None else limit_bytes

    @contextlib.contextmanager
    def computing(self, key: str) -> Iterator[None]:
        """Let one process at a time compute the prefixes of a key; the next one waits, and then finds the files.

        A run that waits here has no other deadline than its own: the one that computes may hang. Where no lock can be
        made, every process computes them.
        """
        lock = Lock(self._folder / _LOCK.format(key=key))
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release(remove=True)

    def read(self, key: str, depths: Iterable[int]) -> dict[str, CachedPrefix]:
        """Return the prefixes of one key that exist, by ``key-depth``.

        Damaged files are removed, unreadable ones skipped, each with a note.
        """
        prefixes = {}
        for depth in depths:
            path = self._folder / _NAME.format(key=key, depth=depth)
            try:
                if not path.is_file():
                    continue
                prefixes[f"{key}-{depth}"] = _read(path)
            except OSError as error:
                self.notes.append(f"the cached prefix {path} cannot be read ({error}): it is computed anew")
            except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
                self.notes.append(f"the cached prefix {path} is damaged ({error}): it is removed and computed anew")
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            else:
                with contextlib.suppress(OSError):
                    os.utime(path)  # the time of last use decides which files are removed first
        return prefixes

    def write(self, key: str, depth: int, prefix: CachedPrefix) -> None:
        """Write a prefix, completely or not at all; if the folder cannot be written, add a note."""
        if prefix.num_bytes > self._limit:
            return
        path = self._folder / _NAME.format(key=key, depth=depth)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_least_recently_used(prefix.num_bytes)
            tensors = {name: tensor.contiguous() for name, tensor in prefix.hidden.items()}
            # The keys are those of files that earlier versions wrote.
            metadata = {"sha256": _digest(tensors), "first_only": "yes" if prefix.cls_only else "no"}
            save_file(tensors, draft, metadata=metadata)
            draft.chmod(usual_modes(self._folder)[0])  # safetensors lets nobody but the owner read
            # Atomic: other sessions see the whole file or none.
            draft.replace(path)
        except (OSError, SafetensorError) as error:
            self.notes.append(
                f"the prefix could not be kept in {self._folder} ({error}): the next session computes it again. "
                "Choose another --freeze-prefix-cache"
            )
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def _remove_least_recently_used(self, num_bytes: int) -> None:
        """Remove files until ``num_bytes`` more fit; unfinished files of killed sessions are treated like others."""
        paths = [*self._folder.glob(_PATTERN), *self._folder.glob(f".{_PATTERN}.*")]
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in paths)
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total + num_bytes <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size


def _read(path: Path) -> CachedPrefix:
    """Return a prefix, mapped from its file.

    Raises:
        ValueError: If the contents are not what was written.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no dictionary
    # A file that was cut or changed may still be valid safetensors.
    if metadata.get("sha256") != _digest(tensors):
        raise ValueError("its checksum differs")
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return CachedPrefix(hidden=tensors, cls_only=metadata["first_only"] == "yes", num_bytes=num_bytes, where=str(path))


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of names, shapes and contents."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.view(torch.uint8).numpy().data)
    return digest.hexdigest()
