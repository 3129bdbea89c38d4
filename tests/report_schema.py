"""Reports and records, validated by the published schemas in their strict form, which allow no further key."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from docs.schemas.files import FOLDER, REPORT, STORE, strict


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of a schema by the name of its file."""
    return Draft202012Validator(strict(json.loads((FOLDER / name).read_text(encoding="utf-8"))))


def read_report(folder: Path) -> Any:
    """Return the content of the ``report.json`` in a folder, which has to be as its schema says."""
    return checked(REPORT, (folder / "report.json").read_bytes())


def read_stored(path: Path) -> Any:
    """Return the content of a file of a store, likewise."""
    return checked(STORE, path.read_bytes())


def checked(name: str, text: bytes) -> Any:
    """Return the content of a file, which has to be as the schema of a name says."""
    content = json.loads(text)
    errors = validator(name).iter_errors(content)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []
    return content
