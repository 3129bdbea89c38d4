"""Where finished runs are kept if ``--freeze-store`` names no folder: in pytest's cache folder, if that is writable."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_FOLDER = "freezebench"


@dataclass(frozen=True, kw_only=True)
class DefaultStore:
    """The default store of a session.

    Attributes:
        folder: Its folder; ``None``: there is none.
        warning: Why runs are not kept there, and what to do; ``None`` if they are.
    """

    folder: Path | None = None
    warning: str | None = None


def default_store(config: pytest.Config) -> DefaultStore:
    """Return the default store of a pytest run; nothing that its cache folder may be is an error."""
    cache = getattr(config, "cache", None)
    if cache is None:
        return DefaultStore(warning=_warning("pytest's cache is off"))
    folder: Path | None = None
    try:
        # --cache-clear deletes the folder that ``mkdir`` returns, so runs are kept outside it. Calling it makes pytest
        # write the files that mark its cache.
        marked: Path = cache.mkdir(_FOLDER)
        cache_folder = marked.parent.parent
        folder = cache_folder / _FOLDER
        with tempfile.TemporaryFile(dir=folder if folder.exists() else cache_folder):
            pass
    except OSError as error:
        where = error.filename if folder is None else folder
        is_readable = folder is not None and folder.is_dir()  # its runs are reused
        return DefaultStore(
            folder=folder if is_readable else None,
            warning=_warning(f"{where} cannot be written ({error.strerror or error})"),
        )
    return DefaultStore(folder=folder)


def _warning(reason: str) -> str:
    return f"finished runs are not kept: {reason}. To keep them, name a folder with --freeze-store"
