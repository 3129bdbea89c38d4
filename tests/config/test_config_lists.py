"""Lists of models and data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezebench.config.lists import split_list, without_duplicates

SPLIT = {
    "a": ["a"],
    "a,b": ["a", "b"],
    " a , b ": ["a", "b"],
    "a\nb,c": ["a\nb", "c"],
    "a,": ["a", ""],
    "": [""],
    "a,\0": ["a", "\0"],
    "~nobody-of-this-name,b": ["~nobody-of-this-name", "b"],
    "x" * 5000 + ",b": ["x" * 5000, "b"],
}


@pytest.mark.parametrize("text", SPLIT, ids=lambda text: repr(text[:30]))
def test_entries_are_separated_by_commas(text: str) -> None:
    """Spaces around them are left out; an empty one stays, so that it can be refused."""
    assert split_list(text) == SPLIT[text]


def test_a_path_that_exists_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever commas it has; a longer text is split."""
    (tmp_path / "a,b").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert split_list("a,b") == ["a,b"]
    assert split_list("~/a,b") == ["~/a,b"]
    assert split_list("a,b,c") == ["a", "b", "c"]


def test_duplicates_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are several paths of one folder; names of the Hub are compared as they are written."""
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    monkeypatch.chdir(tmp_path)
    texts = ["./model", "a/b", str(tmp_path / "model"), "model/", "link", "a/b", "A/b"]
    assert without_duplicates(texts) == ("./model", "a/b", "A/b")
