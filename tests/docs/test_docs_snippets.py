"""Snippets: Python is executed, outputs are compared, and settings are read by pytest."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from freezebench.config.options import OPTIONS
from snippets import BLOCKS, Block, of_language, write_files

OF_CLUSTERS = of_language("bash", "console", "yml")
INI_KEYS = {option.ini for option in OPTIONS}


@pytest.mark.parametrize("page", sorted({block.page for block in of_language("python")}))
def test_python_snippets_run(page: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, in one namespace per page; a block titled Output shows what the one before it printed."""
    monkeypatch.chdir(workplace)
    write_files(page, workplace)
    namespace: dict[str, object] = {"__name__": "__snippet__"}
    printed = None
    for block in (block for block in BLOCKS if block.page == page):
        if block.language == "python" and not block.file_name:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block.text, str(block), "exec"), namespace)  # noqa: S102 - that is the test
            printed = output.getvalue()
        elif block.title == "Output":
            assert printed == block.text, block


def test_text_blocks_are_outputs_diagrams_or_recorded() -> None:
    """An output belongs to the Python block or the command before it; a recorded one says where and when that was."""
    for block in of_language("text"):
        kind = block.title.partition(":")[0]
        assert kind in {"Output", "Output of the command", "Diagram", "Recorded output"}, block
        if kind == "Recorded output":
            assert len(block.title) > len("Recorded output: "), block


@pytest.mark.parametrize("block", of_language("json"), ids=str)
def test_json_snippets_are_json(block: Block) -> None:
    """One value each."""
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in of_language("ini", "toml") if not block.file_name], ids=str)
def test_settings_snippets_are_understood(block: Block, workplace: Path, pytester: pytest.Pytester) -> None:
    """Every key exists, and pytest takes every value."""
    if block.language == "ini":
        parser = configparser.ConfigParser()
        parser.read_string(block.text)
        keys = set(parser["pytest"])
        file = workplace / "pytest.ini"
    else:
        keys = set(tomllib.loads(block.text)["tool"]["pytest"]["ini_options"])
        file = workplace / "pyproject.toml"
    assert keys <= INI_KEYS
    file.write_text(block.text, encoding="utf-8")
    result = pytester.runpytest_inprocess("--collect-only", "-q", "benchmarks/test_freeze_grid.py")
    assert result.ret == 0


@pytest.mark.parametrize("block", OF_CLUSTERS, ids=str)
def test_what_starts_clusters_is_understood(block: Block) -> None:
    """Scripts are those of bash, manifests are YAML, commands are Ray's, and all options of freezebench exist."""
    if block.language == "yml":
        manifest = yaml.safe_load(block.text)
        assert manifest["spec"]["entrypoint"].startswith("pytest ")
        assert {"kind", "apiVersion"} < set(manifest)
    else:
        subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)  # noqa: S607 - that of the reader
    if block.language == "console":
        assert block.text.lstrip().startswith(("ray start --", "ray job submit --"))
    flags = set(re.findall(r"--freeze-[a-z-]+", block.text))
    assert flags <= {option.flag for option in OPTIONS}
