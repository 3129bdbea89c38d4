"""The files of a report in their folder: page, pictures and figures of one experiment, always."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import experiments
from experiments import results, settings
from freezebench.config.session_settings import SessionSettings
from freezebench.config.settings import Settings
from freezebench.errors import SettingsError
from freezebench.report import plots, publish
from freezebench.report.experiment import Experiment, read_experiments
from freezebench.report.picture import PICTURE_NAMES
from freezebench.report.plots import accuracy
from freezebench.report.publish import publish_saved, write_report
from freezebench.report.summary import summarize

FIGURES = ["report.csv", "report.json", "report.md"]


def _write(
    folder: Path, *, everything: bool = True, model: str = "tiny", with_page: bool = True, with_pictures: bool = False
) -> list[Path]:
    """Write the report of a small grid of one model."""
    requested = settings(model=model)
    folder.mkdir(exist_ok=True)
    summary = summarize(results(everything=everything), requested)
    return write_report(
        folder, [(requested, summary)], SessionSettings(), with_page=with_page, with_pictures=with_pictures
    )


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _models(folder: Path) -> set[str]:
    """Return the models that page, Markdown and JSON are about."""
    saved = json.loads((folder / "report.json").read_text(encoding="utf-8"))["experiments"][0]["settings"]["model"]
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("index.html", "report.md")]
    return {saved, *(model for model in ("model-1", "model-2") for text in texts if model in text)}


def test_figures_page_and_pictures_are_written(tmp_path: Path) -> None:
    """Every picture is written as SVG and PNG, and there are no other files."""
    written = _write(tmp_path, with_pictures=True)
    assert [path.name for path in written[:4]] == ["report.md", "report.csv", "report.json", "index.html"]
    assert {path.suffix for path in written[4:]} == {".svg", ".png"}
    assert len(written) == 4 + 2 * 9
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert (tmp_path / "pictures" / "drop.png").read_bytes().startswith(b"\x89PNG")


def test_while_tests_run_the_page_has_no_pictures(tmp_path: Path) -> None:
    """The page is of the figures beside it all the same, and pictures of an earlier report are gone."""
    _write(tmp_path, model="model-1", with_pictures=True)
    assert [path.name for path in _write(tmp_path, model="model-2")][-1] == "index.html"
    assert _models(tmp_path) == {"model-2"}
    assert publish.NOT_DRAWN_YET in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not list((tmp_path / "pictures").iterdir())


@pytest.mark.slow
def test_an_overview_of_earlier_experiments_is_removed(tmp_path: Path) -> None:
    """A report of one experiment has none; what shows a saved report leaves its files alone."""
    shown = [(requested, summarize(results(), requested)) for requested in map(_settings_of, ("model-1", "model-2"))]
    write_report(tmp_path, shown, SessionSettings(), with_page=False)
    publish_saved(tmp_path, [tmp_path])
    assert "overview.csv" in _names(tmp_path)
    _write(tmp_path)
    assert "overview.csv" not in _names(tmp_path)


def _settings_of(model: str) -> Settings:
    return settings(model=model)


@pytest.mark.parametrize("step", range(8))
def test_an_interrupted_report_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Page and figures are of one experiment, whichever file could not be put in place."""
    _write(tmp_path, model="model-1")
    real, calls = os.replace, iter(range(100))

    def fail_once(*names: Path) -> None:
        if next(calls) == step:
            raise KeyboardInterrupt
        real(*names)

    monkeypatch.setattr(os, "replace", fail_once)
    try:
        _write(tmp_path, model="model-2")
        expected = "model-2"
    except KeyboardInterrupt:
        expected = "model-1"
    assert _models(tmp_path) == {expected}
    assert _names(tmp_path) == ["index.html", *FIGURES]


def test_a_picture_that_can_no_longer_be_drawn_is_removed(tmp_path: Path) -> None:
    """An outdated picture is removed; files of other origin stay."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    outdated, own = [pictures / name for name in ("tradeoff_energy.png", "1_drop.svg")], pictures / "mine.png"
    for path in (*outdated, own):
        path.write_bytes(b"a picture")
    _write(tmp_path, everything=False, with_pictures=True)
    assert not [path for path in outdated if path.exists()]
    assert own.read_bytes() == b"a picture"


def test_the_names_of_all_pictures_are_known() -> None:
    """Otherwise those of an earlier report would stay."""
    shown = experiments.experiment(flags={"preset": "notebook"})
    drawn = [*plots.draw(shown), *plots.draw_side_by_side([shown, shown])]
    assert [picture.name for picture in drawn] == list(PICTURE_NAMES)


def test_a_report_without_a_page_has_none(tmp_path: Path) -> None:
    """A page of the earlier report must not be left."""
    _write(tmp_path)
    _write(tmp_path, with_page=False)
    assert _names(tmp_path) == FIGURES


def test_several_experiments_have_numbered_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Next to the pictures that show them together."""
    monkeypatch.setattr(plots, "draw", lambda experiment: [accuracy.drops(experiment)])
    for name in ("model-1", "model-2"):
        _write(tmp_path / name, model=name)
    output = tmp_path / "both"
    output.mkdir()
    names = {path.name for path in publish_saved(output, [tmp_path / "model-1", tmp_path / "model-2"])}
    assert {"1_drop.svg", "2_drop.svg", "together_drop.svg"} <= names


@pytest.mark.usefixtures("without_matplotlib")
def test_a_page_is_not_put_next_to_figures_of_another_report(tmp_path: Path) -> None:
    """A folder with a report takes the page of this report alone, under whatever path."""
    for name in ("model-1", "model-2"):
        _write(tmp_path / name, model=name)
    first, second = tmp_path / "model-1", tmp_path / "model-2"
    for paths in ([second], [first, second], [second / "report.json"]):
        with pytest.raises(SettingsError, match="holds another report"):
            publish_saved(first, paths)
    assert _models(first) == {"model-1"}
    (tmp_path / "link").symlink_to(first)
    assert publish_saved(first, [tmp_path / "link"]) == [first / "index.html"]


@pytest.mark.usefixtures("without_matplotlib")
def test_a_report_that_is_replaced_meanwhile_keeps_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session may end while the page of the earlier report is drawn."""
    _write(tmp_path, model="model-1")

    def read_late(path: Path) -> list[Experiment]:
        read = read_experiments(path)
        _write(tmp_path, model="model-2")
        return read

    monkeypatch.setattr(publish, "read_experiments", read_late)
    with pytest.raises(SettingsError, match=r"report\.json was replaced while its page was made"):
        publish_saved(tmp_path, [tmp_path])
    assert _models(tmp_path) == {"model-2"}


def test_a_folder_without_permission_is_left_alone(tmp_path: Path) -> None:
    """The error is that of the operating system; the earlier report is unchanged."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    _write(tmp_path, model="model-1")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            _write(tmp_path, model="model-2")
    finally:
        tmp_path.chmod(0o755)
    assert _models(tmp_path) == {"model-1"}


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_there_is_a_page_without_pictures(tmp_path: Path) -> None:
    """The page shows what to install."""
    assert len(_write(tmp_path, with_pictures=True)) == 4
    content = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "python -m pip install" in content
    assert "<img" not in content
