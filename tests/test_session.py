"""The session: its default preset, and the saving of a model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import made_up
from fake_executor import FakeExecutor, by_accuracy
from freezebench.errors import SettingsError
from freezebench.executors import registry
from freezebench.models import availability as assets
from freezebench.session import FreezeSession


def _session(**options: Any) -> FreezeSession:
    return FreezeSession({}, {}, **options)


def test_the_default_preset_follows_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """SST-2 with a GPU and its assets, else the embedded one, said with its reason."""
    monkeypatch.setattr(assets, "cuda_visible", lambda: False)
    settings = _session().options.settings()
    assert (settings.preset, settings.preset_reason) == ("embedded", "the default without a CUDA GPU")
    monkeypatch.setattr(assets, "cuda_visible", lambda: True)
    monkeypatch.setattr(assets, "hub_state", lambda *_: SimpleNamespace(available=True, reason="the Hub answers"))
    assert _session().options.settings().preset == "distilbert-sst2"
    monkeypatch.setattr(assets, "hub_state", lambda *_: SimpleNamespace(available=False, reason="the Hub is silent"))
    settings = _session().options.settings()
    assert (settings.preset, settings.preset_reason) == ("embedded", "the fallback, since the Hub is silent")


@pytest.mark.parametrize("reason", ["ci", "reference"])
def test_nothing_falls_back_where_nobody_watches(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """Under CI, and with a reference to compare with, a silent Hub is an error."""
    monkeypatch.setattr(assets, "cuda_visible", lambda: True)
    monkeypatch.setattr(assets, "hub_state", lambda *_: SimpleNamespace(available=False, reason="the Hub is silent"))
    if reason == "ci":
        monkeypatch.setenv("CI", "true")
    with pytest.raises(SettingsError, match=r"the Hub is silent.*no smaller preset"):
        _session(has_reference=reason == "reference").options.settings()


def test_a_named_preset_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is not even looked at."""
    monkeypatch.setattr(assets, "cuda_visible", lambda: pytest.fail("asked"))
    assert FreezeSession({"preset": "notebook"}, {}).options.settings().preset == "notebook"


def test_a_model_is_saved_without_a_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The executor gets the run and the folder; the record is returned, and no table grows."""
    executor = FakeExecutor(by_accuracy())
    monkeypatch.setattr(registry, "make_executor", lambda *_: executor)
    session = _session()
    record = session.save_model(made_up.record("emb").spec, tmp_path)
    assert (record.spec.freeze, executor.submitted, executor.saved_to) == ("emb", ["emb 42"], [tmp_path])
    assert session.results() == []


def test_an_interruption_ends_the_run_that_is_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing trains on behind it."""

    def interrupt(_: object) -> Any:
        raise KeyboardInterrupt

    executor = FakeExecutor(interrupt)
    monkeypatch.setattr(registry, "make_executor", lambda *_: executor)
    with pytest.raises(KeyboardInterrupt):
        _session().save_model(made_up.record("emb").spec, tmp_path)
    assert executor.num_cancelled == 1
