"""Folders that are checked before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezebench.errors import SettingsError
from freezebench.records.files import prepare_folder


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the way is said before anything is trained."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot write there"):
        prepare_folder(blocked / "report", "--freeze-report")
