"""Page and pictures in the report's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import experiment
from freezebench.report import plots
from freezebench.report.plots import accuracy
from freezebench.report.publish import publish


def test_page_and_pictures_are_written(tmp_path: Path) -> None:
    """Every picture is written as SVG and PNG, and there are no other files."""
    written = publish(tmp_path, [experiment()])
    assert written[0] == tmp_path / "index.html"
    assert {path.suffix for path in written[1:]} == {".svg", ".png"}
    assert len(written) == 1 + 2 * 9
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert (tmp_path / "pictures" / "drop.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_can_no_longer_be_drawn_is_removed(tmp_path: Path) -> None:
    """An outdated picture is removed; files of other origin stay."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    old, own = pictures / "tradeoff_energy.png", pictures / "mine.png"
    for path in (old, own):
        path.write_bytes(b"a picture")
    publish(tmp_path, [experiment(everything=False)])
    assert not old.exists()
    assert own.exists()


def test_several_experiments_have_numbered_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Next to the pictures that show them together."""
    monkeypatch.setattr(plots, "draw", lambda experiment: [accuracy.drops(experiment)])
    names = {path.name for path in publish(tmp_path, [experiment(), experiment(num=2)])}
    assert {"1_drop.svg", "2_drop.svg", "together_drop.svg"} <= names


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_there_is_a_page_without_pictures(tmp_path: Path) -> None:
    """The page shows what to install."""
    assert publish(tmp_path, [experiment()]) == [tmp_path / "index.html"]
    content = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "python -m pip install" in content
    assert "<img" not in content
