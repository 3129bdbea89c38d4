"""Cached prefixes that outlive a session: one file per depth, named by content, verified, the oldest removed first."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from freezebench.training.prefix.cache import Prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DEFAULT_FOLDER_BYTES = 10 * 2**30
# Nothing else in the folder is ours to remove.
_NAME = "freezebench-prefix-{key}-{depth}.safetensors"
_OURS = _NAME.format(key="*", depth="*")


class PrefixFolder:
    """A folder of cached prefixes that sessions share.

    Attributes:
        notes: What the person should know: files that were damaged, or could not be written.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        """Use a folder, which is made when something is written; the least recently used files make room."""
        self.notes: list[str] = []
        self._folder = folder
        self._limit = DEFAULT_FOLDER_BYTES if limit_bytes is None else limit_bytes

    def read(self, key: str, depths: Iterable[int]) -> dict[str, Prefix]:
        """Return the kept prefixes of one key by key and depth; damaged files are removed, unreadable ones left out."""
        found = {}
        for depth in depths:
            path = self._folder / _NAME.format(key=key, depth=depth)
            try:
                if not path.is_file():
                    continue
                found[f"{key}-{depth}"] = _read(path)
            except OSError as error:
                self.notes.append(f"the cached prefix {path} cannot be read ({error}): it is computed anew")
            except (SafetensorError, KeyError, ValueError) as error:
                self.notes.append(f"the cached prefix {path} is damaged ({error}): it is removed and computed anew")
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            else:
                with contextlib.suppress(OSError):
                    os.utime(path)  # used now: the last one to be removed
        return found

    def write(self, key: str, depth: int, prefix: Prefix) -> None:
        """Keep a prefix, complete or not at all; where the folder cannot be written, say so and go on."""
        if prefix.num_bytes > self._limit:
            return
        path = self._folder / _NAME.format(key=key, depth=depth)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(prefix.num_bytes)
            tensors = {name: tensor.contiguous() for name, tensor in prefix.hidden.items()}
            first_only = "yes" if prefix.first_only else "no"
            save_file(tensors, draft, metadata={"sha256": _digest(tensors), "first_only": first_only})
            draft.replace(path)
        except (OSError, SafetensorError) as error:
            self.notes.append(
                f"the prefix could not be kept in {self._folder} ({error}): the next session computes it again. "
                "Choose another --freeze-prefix-cache"
            )
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def _make_room(self, num_bytes: int) -> None:
        """Remove the files whose last use is longest ago until there is room, those of killed sessions like others."""
        paths = [*self._folder.glob(_OURS), *self._folder.glob(f".{_OURS}.*")]
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in paths)
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total + num_bytes <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size


def _read(path: Path) -> Prefix:
    """Return a kept prefix, mapped from its file.

    Raises:
        ValueError: If the contents are not what was written.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    if metadata.get("sha256") != _digest(tensors):
        raise ValueError("its checksum differs")
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return Prefix(hidden=tensors, first_only=metadata["first_only"] == "yes", num_bytes=num_bytes, where=str(path))


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of names, shapes and contents."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.view(torch.uint8).numpy().data)
    return digest.hexdigest()
