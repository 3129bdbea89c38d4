"""Pytest's configuration: the file that pytest reads, and keys added to it without other changes."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from freezebench.cli.init.configuration import PytestConfiguration, find_configuration
from freezebench.errors import SettingsError

KEYS = {"freeze_preset": "embedded", "freeze_num_seeds": "5"}
INI_LINES = "# added\nfreeze_preset = embedded\nfreeze_num_seeds = 5\n"
TOML_LINES = '# added\nfreeze_preset = "embedded"\nfreeze_num_seeds = "5"\n'


def found(folder: Path, **files: str) -> PytestConfiguration:
    """Return pytest's configuration of a folder with some files, ``_`` in whose names is a full stop."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_bytes(text.encode())
    configuration = find_configuration(folder)
    assert configuration is not None
    return configuration


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("pytest_ini", "[pytest]\n# a comment\ntestpaths =\n    a\n    b\n", ""),
        ("tox_ini", "[tox]\nenvlist = py\n\n[pytest]\naddopts = -ra\n", "\n# of the next\n[testenv]\ndeps = pytest\n"),
        ("setup_cfg", "[tool:pytest]\naddopts = -ra  # not a comment\n", "\n\n[metadata]\nname = %(x)s\n"),
        ("pyproject_toml", '[tool.pytest.ini_options]  # here\naddopts = [\n  "-ra",\n]\n', "\n[tool.ruff]\nx = 1\n"),
        ("pyproject_toml", '[project]\nname = "x"\n\n[tool.pytest.ini_options]\nminversion = "8"\n', ""),
        ("pytest_ini", "[other]\nkey = 1\n\n[pytest]\n", ""),
    ],
)
def test_keys_are_added_at_the_end_of_the_section(tmp_path: Path, name: str, before: str, after: str) -> None:
    """Every other line stays as it is, in its place."""
    lines = TOML_LINES if name.endswith("toml") else INI_LINES
    assert found(tmp_path, **{name: before + after}).with_keys(KEYS, "added") == before + lines + after


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    """Those of Windows, and a last line without one."""
    text = found(tmp_path, pytest_ini="[pytest]\r\naddopts = -ra").with_keys(KEYS, "added")
    assert text == "[pytest]\r\naddopts = -ra\r\n" + INI_LINES.replace("\n", "\r\n")


@pytest.mark.parametrize("text", ["", "[other]\nkey = 1\n"])
def test_a_file_of_pytest_gets_the_section_that_it_lacks(tmp_path: Path, text: str) -> None:
    """Pytest reads pytest.ini even without its section, so that another file would change nothing."""
    configuration = found(tmp_path, pytest_ini=text, tox_ini="[pytest]\naddopts = -ra\n")
    assert configuration.path.name == "pytest.ini"
    assert configuration.with_keys(KEYS, "added") == text + ("\n" if text else "") + "[pytest]\n" + INI_LINES


def test_files_are_found_in_the_order_of_pytest(tmp_path: Path) -> None:
    """Those without a section of pytest are passed over."""
    assert find_configuration(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n', encoding="utf-8")
    assert find_configuration(tmp_path) is None
    assert found(tmp_path, setup_cfg="[tool:pytest]\ntestpaths = a b\n").values("testpaths") == ["a", "b"]
    assert found(tmp_path, tox_ini="[pytest]\n").path.name == "tox.ini"
    toml = '[tool.pytest.ini_options]\ntestpaths = ["c"]\n'
    assert found(tmp_path, pyproject_toml=toml).values("testpaths") == ["c"]


@pytest.mark.parametrize(
    "text",
    [
        '[tool]\npytest.ini_options.addopts = "-ra"\n',
        '[tool.pytest]\nini_options = { addopts = "-ra" }\n',
        '[tool."pytest".ini_options]\naddopts = "-ra"\n',
        '[tool.other]\ntext = """\n[tool.pytest.ini_options]\n"""\n[tool.pytest]\nini_options = { addopts = "-ra" }\n',
    ],
)
def test_what_lines_alone_cannot_change_stays(tmp_path: Path, text: str) -> None:
    """A section without a line of its own, and a line that only looks like it."""
    configuration = found(tmp_path, pyproject_toml=text)
    assert configuration.keys == {"addopts": "-ra"}
    assert configuration.with_keys(KEYS, "added") is None


@pytest.mark.parametrize(("version", "section"), [("9.0.1", "[tool.pytest]"), ("8.4.2", None)])
def test_the_table_of_newer_versions_is_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, section: str | None
) -> None:
    """Since version 9, pytest reads ``[tool.pytest]`` and ``pytest.toml``; others pass over them."""
    monkeypatch.setattr(metadata, "version", lambda _: version)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest]\naddopts = ["-ra"]\n', encoding="utf-8")
    configuration = find_configuration(tmp_path)
    assert (configuration and configuration.section) == section
    if configuration is not None:
        assert configuration.values("addopts") == ["-ra"]
        assert configuration.with_keys(KEYS, "added") == '[tool.pytest]\naddopts = ["-ra"]\n' + TOML_LINES
    (tmp_path / "pytest.toml").touch()
    assert (find_configuration(tmp_path) is None) == (section is None)


def test_a_table_inside_of_a_list_ends_no_section(tmp_path: Path) -> None:
    """Keys that would land inside of a value are not added there."""
    text = '[tool.pytest.ini_options]\nmarkers = [\n"a",\n[\n"b"]]\n'
    changed = found(tmp_path, pyproject_toml=text).with_keys(KEYS, "added")
    assert changed is None or tomllib.loads(changed)["tool"]["pytest"]["ini_options"]["markers"] == ["a", ["b"]]


@pytest.mark.parametrize(
    ("name", "text"), [("pyproject.toml", "[tool\n"), ("pytest.ini", "addopts\n"), ("tox.ini", "[a]\nb=1\nb=2\n")]
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """Pytest would end with an error, too."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"{name} cannot be read: .*\. Correct it first"):
        find_configuration(tmp_path)
