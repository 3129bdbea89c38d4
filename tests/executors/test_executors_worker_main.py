"""The worker's side: what becomes of an exception of any kind, and which modules a request may import."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import made_up
from freezebench.errors import ModelError
from freezebench.executors import worker_main
from freezebench.executors.requests import Answer, decode_line, encode_event
from freezebench.executors.worker_main import RequestHandler


def _answer(request: dict[str, Any], path: list[str] | None = None) -> Answer:
    """Return what a handler sends in answer to a request."""
    events = io.StringIO()
    message: Any = {"request": request, "path": path or sys.path, "data_cache": {}}
    RequestHandler(events).answer(message)
    (line,) = events.getvalue().splitlines()
    answer = decode_line(line.encode())
    assert isinstance(answer, Answer)
    return answer


def _run_request(model: str = "a-model") -> dict[str, Any]:
    spec = made_up.record("emb").spec.to_json()
    return {"kind": "run", "spec": {**spec, "model": model}, "grid": [], "save_to": None}


@pytest.mark.parametrize(
    ("error", "fault", "cause"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt", "crash"),
        (SystemExit(3), "SystemExit: 3", "crash"),
        (GeneratorExit(), "GeneratorExit", "crash"),
        (
            BaseExceptionGroup("g", [KeyboardInterrupt()]),
            "BaseExceptionGroup: g (1 sub-exception)",
            "crash",
        ),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device", "crash"),
        (MemoryError(), "MemoryError", "out_of_memory"),
        (ValueError("\udcff"), "ValueError: \\udcff", "crash"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_no_exception_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, fault: str, cause: str
) -> None:
    """The parent receives it in one clause, with the end of its traceback."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(RequestHandler, "_fulfil", fail)
    answer = _answer(_run_request())
    assert (answer.value, answer.error, answer.fault, answer.cause) == (None, None, fault, cause)
    assert "    raise error\n" in answer.log


def test_an_error_of_freezebench_is_sent_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message is the sentence; the traceback names the code that caused it."""

    def fail(*_: object) -> None:
        try:
            int("of the factory")
        except ValueError as error:
            raise ModelError("the factory fails. Correct it.") from error

    monkeypatch.setattr(RequestHandler, "_fulfil", fail)
    answer = _answer(_run_request())
    assert (answer.error, answer.fault) == ("the factory fails. Correct it.", None)
    assert "'of the factory'" in answer.log


def test_a_value_that_json_lacks_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is a line of JSON."""
    monkeypatch.setattr(RequestHandler, "_fulfil", lambda *_: {"loss": float("nan")})
    assert str(_answer(_run_request()).fault).startswith("ValueError: Out of range float values")
    monkeypatch.setattr(RequestHandler, "_fulfil", lambda *_: {"loss": object()})
    assert str(_answer(_run_request()).fault).startswith("TypeError: ")


@pytest.mark.parametrize(("model", "is_seen"), [("a-model", False), ("models:make", True)])
def test_only_a_factory_may_import_files_of_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, is_seen: bool
) -> None:
    """They follow the installed modules; afterwards the path is that of the session."""
    monkeypatch.setattr(RequestHandler, "_fulfil", lambda *_: {"path": list(sys.path)})
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = [str(tmp_path), *sys.path]
    value = _answer(_run_request(model), path).value
    assert value is not None
    used: Any = value["path"]
    assert (str(tmp_path) in used) is is_seen
    assert str(tmp_path) != used[0]
    assert sys.path == path


def test_a_folder_for_temporary_files_that_lacks_is_named_with_what_to_do() -> None:
    """Libraries look for it while they are imported."""
    error = FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/work']")
    assert worker_main._reason(error).endswith("['/tmp', '/work']; free space in one of these folders, or set TMPDIR")
    assert worker_main._reason(ImportError("libgomp.so.1: cannot open")) == "ImportError: libgomp.so.1: cannot open"


def test_lines_are_json_of_one_line() -> None:
    """New lines in a log are escaped."""
    answer = Answer(fault="x", log="a\nb")
    assert decode_line(encode_event(answer).encode()) == answer
    assert json.loads(encode_event(answer))["log"] == "a\nb"
